const zeroWidth = /\p{Mn}|\p{Me}|\p{Cf}/u
// Wide and Fullwidth of https://www.unicode.org/Public/UCD/latest/ucd/EastAsianWidth.txt, in ranges wide enough for text.
const wide: ReadonlyArray<readonly [number, number]> = [
  [0x1100, 0x115f],
  [0x2e80, 0x303e],
  [0x3041, 0xa4cf],
  [0xa960, 0xa97f],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe30, 0xfe6f],
  [0xff00, 0xff60],
  [0xffe0, 0xffe6],
  [0x1f300, 0x1faff],
  [0x20000, 0x3fffd],
]

/** How many columns a terminal takes for a text without escape sequences. */
export function widthOf(text: string): number {
  return Array.from(text).reduce((sum, character) => sum + widthOfOne(character), 0)
}

function widthOfOne(character: string): number {
  if (zeroWidth.test(character)) return 0
  const code = character.codePointAt(0) ?? 0
  return wide.some(([from, to]) => code >= from && code <= to) ? 2 : 1
}

/** The text in exactly `columns` columns: cut with an ellipsis, or filled with spaces. */
export function padTo(text: string, columns: number): string {
  const cut = cutTo(text, columns)
  return cut + ' '.repeat(columns - widthOf(cut))
}

/** The text in at most `columns` columns. */
export function cutTo(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text
  let kept = ''
  for (const character of text) {
    if (widthOf(kept) + widthOfOne(character) > columns - 1) break
    kept += character
  }
  return columns > 0 ? `${kept}…` : ''
}
