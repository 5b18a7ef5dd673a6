import { randomBytes, randomInt } from 'node:crypto'

/** A value that occurs nowhere else in the world, so that wherever it is found it has leaked. */
export interface Canary {
  /** What it stands for in the story. */
  name: string
  text: string
}

const letters = 'abcdefghijkmnopqrstuvwxyz23456789'
const word = (length: number) => Array.from({ length }, () => letters[randomInt(letters.length)]).join('')
const han = (length: number) =>
  Array.from({ length }, () => String.fromCodePoint(0x4e00 + randomInt(0x9fff - 0x4e00))).join('')

const makers = {
  ascii: () => `Q${word(15)}`,
  han: () => han(8),
  mail: () => `${word(12)}@${word(12)}.example.com`,
  phone: () => `13${Array.from({ length: 9 }, () => randomInt(10)).join('')}`,
  link: () => `https://${word(12)}.example.com/${word(16)}.pdf?sig=${word(16)}`,
  /** What text looks like that nobody made to be harmless. */
  awkward: () => `${word(8)} "${han(4)}"\n\\${word(8)}&<${han(2)}>%`,
} as const

export type Kind = keyof typeof makers

/** The canaries of a story. Asking for a name twice answers the same one. */
export class Canaries {
  readonly all: Canary[] = []

  make(kind: Kind, name: string): string {
    const known = this.all.find((canary) => canary.name === name)
    if (known !== undefined) return known.text
    const text = makers[kind]()
    this.all.push({ name, text })
    return text
  }
}

/** A place in some bytes where a canary was found, and in which form. */
export interface Leak {
  canary: string
  form: string
  where: string
  /** What stands before it, to see how it came there. */
  before: string
}

/** Looks for canaries in whatever form text takes in files and on the wire. */
export class Searcher {
  readonly #byStart = new Map<number, Needle[]>()
  /** By the first two bytes, whether there can be any: most places are passed over by this alone. */
  readonly #mayStart = new Uint8Array(65_536)

  constructor(canaries: readonly Canary[]) {
    for (const canary of canaries) {
      for (const part of partsOf(canary.text)) {
        for (const [form, bytes] of formsOf(part)) this.#add({ canary: canary.name, form, bytes })
      }
    }
  }

  search(where: string, bytes: Buffer): Leak[] {
    const found = new Map<string, Leak>()
    const starts = this.#byStart
    for (let at = 0; at + startBytes <= bytes.length; at += 1) {
      if (this.#mayStart[((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)] === 0) continue
      const needles = starts.get(bytes.readUIntBE(at, startBytes))
      if (needles === undefined) continue
      for (const needle of needles) {
        if (!bytes.subarray(at, at + needle.bytes.length).equals(needle.bytes)) continue
        const before = bytes.toString('latin1', Math.max(0, at - 80), at).replaceAll(/[^\x20-\x7e]/g, '.')
        const leak = { canary: needle.canary, form: needle.form, where, before }
        found.set(`${leak.canary} ${leak.form}`, leak)
      }
    }
    return [...found.values()]
  }

  #add(needle: Needle): void {
    const start = needle.bytes.readUIntBE(0, startBytes)
    const others = this.#byStart.get(start) ?? []
    // Plain letters look the same in several forms.
    if (others.some(({ bytes }) => bytes.equals(needle.bytes))) return
    this.#mayStart[needle.bytes.readUInt16BE()] = 1
    this.#byStart.set(start, [...others, needle])
  }
}

interface Needle {
  canary: string
  form: string
  bytes: Buffer
}

const startBytes = 4

/** A link, an address or an awkward text also leaks by its halves. */
function partsOf(text: string): string[] {
  return [...new Set([text, ...text.split(/[^\p{L}\p{N}]+/u).filter((part) => Buffer.byteLength(part) >= 8)])].filter(
    (part) => !/^(https|example)$/.test(part),
  )
}

/** Eight bytes and more, so that nothing is found by chance in many megabytes. */
function formsOf(text: string): Array<[string, Buffer]> {
  const utf8 = Buffer.from(text)
  const little = Buffer.from(text, 'utf16le')
  const escaped = [...text].map((sign) => jsonEscape(sign)).join('')
  const percent = encodeURIComponent(text)
  const texts: Array<[string, string]> = [
    ['JSON', JSON.stringify(text).slice(1, -1)],
    ['JSON in JSON', JSON.stringify(JSON.stringify(text)).slice(3, -3)],
    ['\\u', escaped],
    ['\\U', escaped.replaceAll(/[a-f]/g, (digit) => digit.toUpperCase()).replaceAll('\\U', '\\u')],
    ['percent', percent],
    ['percent, small', percent.replaceAll(/%[0-9A-F]{2}/g, (code) => code.toLowerCase())],
    ['hex', utf8.toString('hex')],
    ['HEX', utf8.toString('hex').toUpperCase()],
    ['hex of UTF-16', little.toString('hex')],
    ...[0, 1, 2].flatMap((offset): Array<[string, string]> => {
      const inner = innerBase64(utf8, offset)
      return [
        [`base64 at ${offset}`, inner],
        [`base64url at ${offset}`, inner.replaceAll('+', '-').replaceAll('/', '_')],
      ]
    }),
    ['reversed', [...text].toReversed().join('')],
  ]
  return [
    ['UTF-8', utf8],
    ['UTF-16LE', little],
    ['UTF-16BE', Buffer.from(little).swap16()],
    ...texts.map(([form, each]): [string, Buffer] => [form, Buffer.from(each)]),
  ].filter((entry): entry is [string, Buffer] => (entry[1] as Buffer).length >= 8)
}

function jsonEscape(sign: string): string {
  return [...Array(sign.length).keys()]
    .map((index) => `\\u${sign.charCodeAt(index).toString(16).padStart(4, '0')}`)
    .join('')
}

/** The digits that depend on the text alone, whatever stands around it. */
function innerBase64(bytes: Buffer, offset: number): string {
  const all = Buffer.concat([randomBytes(offset), bytes])
    .toString('base64')
    .replaceAll('=', '')
  const from = Math.ceil((offset * 8) / 6)
  const to = Math.floor(((offset + bytes.length) * 8) / 6)
  return all.slice(from, to)
}
