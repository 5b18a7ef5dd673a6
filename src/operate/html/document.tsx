import type { ComponentChildren } from 'preact'
import { renderToString } from 'preact-render-to-string'

interface Content {
  /** Of the whole text (BCP 47). */
  lang: string
  title: string
  /** What else stands in the head. */
  head: ComponentChildren
  children: ComponentChildren
}

/** A whole document as text; every value in it is escaped. Readable on any screen. */
export function renderDocument(content: Content): string {
  return `<!doctype html>${renderToString(<Document {...content} />)}`
}

function Document({ lang, title, head, children }: Content) {
  return (
    <html lang={lang}>
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>{title}</title>
        {head}
      </head>
      <body>{children}</body>
    </html>
  )
}
