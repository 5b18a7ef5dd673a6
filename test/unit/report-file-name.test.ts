import fc from 'fast-check'
import { expect, it } from 'vitest'
import { dispositionOf, safeName } from '../../src/flow/reports/file-name.js'

it.each([
  ['final.pdf', 'final.pdf'],
  ['Final.PDF', 'Final.pdf'],
  ['学历核实 报告.pdf', '学历核实 报告.pdf'],
  ['report', 'report.pdf'],
  ['archive.exe', 'archive.exe.pdf'],
  ['../../etc/passwd', '_.._etc_passwd.pdf'],
  ['C:\\a\\b.pdf', 'C__a_b.pdf'],
  ['a"; filename="evil.exe', 'a__ filename=_evil.exe.pdf'],
  ['a\r\nSet-Cookie: b=c', 'aSet-Cookie_ b=c.pdf'],
  ['fdp.\u202eexe', 'fdp.exe.pdf'],
  ['.htaccess', 'htaccess.pdf'],
  ['. .', 'report.pdf'],
  ['', 'report.pdf'],
  ['\ud800', 'report.pdf'],
  ['长'.repeat(300), `${'长'.repeat(100)}.pdf`],
])('the name %j is kept as %j', (name, kept) => expect(safeName(name)).toBe(kept))

it('is told in ASCII and, for who reads it, in full', () => {
  expect(dispositionOf("张三's 100% (1).pdf")).toBe(
    `attachment; filename="__'s 100% (1).pdf"; filename*=UTF-8''%E5%BC%A0%E4%B8%89%27s%20100%25%20%281%29.pdf`.replace(
      "'s 100% ",
      '_s 100_ ',
    ),
  )
})

it('never ends a header, leaves a folder or is anything but a PDF', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (name) => {
      expect(dispositionOf(name)).toMatch(
        /^attachment; filename="[^"\\/\r\n]+\.pdf"; filename\*=UTF-8''[A-Za-z0-9%._~-]+\.pdf$/,
      )
      expect(dispositionOf(name)).toMatch(/^[\x20-\x7e]*$/)
    }),
  )
})
