import type { Language, Translate } from '../languages.js'
import { LanguageSwitch, renderPage } from '../layout.js'

export interface SignInPage {
  t: Translate
  language: Language
  /** Where to go once signed in; a path below /console. */
  back: string
  complaint?: string
}

export function renderSignIn({ t, language, back, complaint }: SignInPage): string {
  return renderPage({
    language,
    title: `${t('signIn')} · ${t('title')}`,
    children: (
      <main id="main" class="sign-in">
        <h1>{t('title')}</h1>
        {complaint !== undefined && (
          <p class="complaint" role="alert">
            {complaint}
          </p>
        )}
        <form method="post" action="/console/sign-in">
          <input type="hidden" name="back" value={back} />
          <label for="secret">{t('apiKey')}</label>
          <input id="secret" name="secret" type="password" required autocomplete="current-password" />
          <p class="hint">{t('signInHelp')}</p>
          <button type="submit">{t('signIn')}</button>
        </form>
        <LanguageSwitch t={t} language={language} back={back} />
      </main>
    ),
  })
}
