import { texts } from './texts.js'

export const languages = ['zh', 'en'] as const
export type Language = (typeof languages)[number]

export type TextName = keyof typeof texts
/** A text of the console in one language; `{name}` in it is replaced. */
export type Translate = (name: TextName, values?: Readonly<Record<string, string | number>>) => string

export function createTranslate(language: Language): Translate {
  return (name, values = {}) => {
    const text: string = texts[name][language]
    return text.replaceAll(/\{(\w+)\}/g, (whole, key: string) => String(values[key] ?? whole))
  }
}

/** What was chosen, else the first of the browser's languages that the console speaks, else English. */
export function languageOf(chosen: string | undefined, acceptLanguage: string | undefined): Language {
  const known = languages.find((language) => language === chosen)
  return known ?? preferredOf(acceptLanguage ?? '') ?? 'en'
}

function preferredOf(header: string): Language | undefined {
  const wanted = header.split(',').map((entry) => {
    const [tag = '', ...parameters] = entry.trim().toLowerCase().split(';')
    const weight = parameters.map((each) => /^\s*q=([\d.]+)\s*$/.exec(each)?.[1]).find((found) => found !== undefined)
    return { primary: tag.split('-')[0], weight: weight === undefined ? 1 : Number(weight) }
  })
  const best = wanted
    .filter(({ weight }) => weight > 0)
    .toSorted((a, b) => b.weight - a.weight)
    .flatMap(({ primary }) => languages.find((language) => language === primary) ?? [])
  return best[0]
}
