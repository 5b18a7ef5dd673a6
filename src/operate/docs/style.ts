/** The stylesheet of the pages below /docs. Readable from 360 px on, light and dark. */
export const style = `:root { color-scheme: light dark; --line: #8886; --quiet: #595f69; --link: #0b57d0; --shade: #f0f1f4;
  background: #fff; color: #1b1d21; }
@media (prefers-color-scheme: dark) { :root { --quiet: #a7adb8; --link: #8ab4f8; --shade: #262a31;
  background: #16181c; color: #e6e8ec; } }
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; }
h2 { font-size: 1.3rem; margin-top: 2.5rem; }
h3 { font-size: 1rem; margin: 2rem 0 .25rem; padding-top: .75rem; border-top: 1px solid var(--line); }
h4 { font-size: .9rem; margin: 1rem 0 .25rem; }
a { color: var(--link); }
code { font: .875em ui-monospace, monospace; background: var(--shade); padding: 0 .2em; border-radius: 3px; }
h3 code { background: none; padding: 0; font-size: 1rem; }
ul { padding-left: 1.2rem; margin: .25rem 0; }
nav h3 { border: 0; margin-top: 1rem; padding-top: 0; }
nav ul { list-style: none; padding: 0; }
dl { margin: .25rem 0; }
dt { margin-top: .5rem; }
dd { margin: 0 0 0 1rem; }
.quiet { color: var(--quiet); }
:target { outline: 2px solid var(--link); outline-offset: 4px; }
`
