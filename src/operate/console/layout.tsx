import type { ComponentChildren } from 'preact'
import { renderDocument } from '../html/document.js'
import { assets } from './assets.js'
import { type Language, languages, type Translate } from './languages.js'
import { hereOf, menu, type Visit } from './visit.js'

/** Nothing of an error comes into the page, and what somebody opened stays open. */
const htmxSettings = JSON.stringify({
  includeIndicatorCSS: false,
  history: false,
  noSwap: [204, 304, '4xx', '5xx'],
  morphIgnore: ['data-htmx-powered', 'open'],
})

/** A whole document. */
export function renderPage({ language, ...page }: { language: Language; title: string; children: ComponentChildren }) {
  return renderDocument({ lang: language === 'zh' ? 'zh-CN' : 'en', head: <Head />, ...page })
}

function Head() {
  return (
    <>
      <meta name="color-scheme" content="light dark" />
      <meta name="htmx-config" content={htmxSettings} />
      <link rel="icon" href="data:," />
      <link rel="stylesheet" href={assets.style.href} />
      <link rel="stylesheet" href={assets.chartStyle.href} />
      <script src={assets.htmx.href} defer />
      <script src={assets.chart.href} defer />
      <script src={assets.charts.href} defer />
      <script src={assets.script.href} defer />
    </>
  )
}

/** A page of somebody who is signed in. */
export function renderVisit(visit: Visit, heading: string, children: ComponentChildren): string {
  const { t, language } = visit
  return renderPage({
    language,
    title: `${heading} · ${t('title')}`,
    children: (
      <>
        <a class="skip" href="#main">
          {t('skip')}
        </a>
        <Header visit={visit} />
        <main id="main" tabIndex={-1}>
          <h1>{heading}</h1>
          <LiveState visit={visit} />
          {children}
        </main>
      </>
    ),
  })
}

/** Why the page is not fresh any more; shown by assets/console.js. */
function LiveState({ visit }: { visit: Visit }) {
  const { t } = visit
  return (
    <div role="status" class="live-state">
      <p data-live-state="over" hidden>
        {t('sessionOver')} <a href={hereOf(visit)}>{t('signIn')}</a>
      </p>
      <p data-live-state="gone" hidden>
        {t('notFresh')}
      </p>
    </div>
  )
}

function Header({ visit }: { visit: Visit }) {
  const { t, session, path } = visit
  return (
    <header class="top">
      <p class="name">{t('title')}</p>
      <nav aria-label={t('title')}>
        <ul>
          {menu.map((entry) => (
            <li key={entry.path}>
              <a href={entry.path} {...(isWithin(path, entry.path) && { 'aria-current': 'page' as const })}>
                {t(entry.name)}
              </a>
            </li>
          ))}
        </ul>
      </nav>
      <div class="who">
        <span>{t('signedInAs', { name: session.key.name })}</span>
        <LanguageSwitch t={t} language={visit.language} back={hereOf(visit)} />
        <form method="post" action="/console/sign-out">
          <input type="hidden" name="csrf" value={session.csrf} />
          <button type="submit" class="quiet">
            {t('signOut')}
          </button>
        </form>
      </div>
    </header>
  )
}

/** Changes a cookie about nothing but the language: it needs no session and no token. */
export function LanguageSwitch({ t, language, back }: { t: Translate; language: Language; back: string }) {
  const other = languages.find((each) => each !== language) ?? language
  return (
    <form method="post" action="/console/language">
      <input type="hidden" name="language" value={other} />
      <input type="hidden" name="back" value={back} />
      <button type="submit" class="quiet" lang={other === 'zh' ? 'zh-CN' : 'en'}>
        {t('switchLanguage')}
      </button>
    </form>
  )
}

function isWithin(path: string, entry: string): boolean {
  return entry === '/console' ? path === entry : path === entry || path.startsWith(`${entry}/`)
}
