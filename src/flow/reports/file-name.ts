const longest = 100

/**
 * A report's name for `Content-Disposition` (RFC 6266): a file to keep, never a page of this service. Without what could
 * leave a folder, end the header or turn its reading direction; always the name of a PDF.
 */
export function dispositionOf(reportName: string): string {
  const name = safeName(reportName)
  const ascii = name.replaceAll(/[^\x20-\x7e]/g, '_').replaceAll(/[%']/g, '_')
  return `attachment; filename="${ascii}"; filename*=UTF-8''${encode(name)}`
}

export function safeName(reportName: string): string {
  const kept = reportName
    .replaceAll(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, '')
    .replaceAll(/["*/:<>?\\|;]/g, '_')
    .replace(/\.pdf$/i, '')
    .replaceAll(/^[\s.]+|[\s.]+$/g, '')
  const stem = [...kept].slice(0, longest).join('').trimEnd()
  return `${stem === '' ? 'report' : stem}.pdf`
}

/** RFC 8187: what `encodeURIComponent` leaves and the header does not take. */
function encode(name: string): string {
  return encodeURIComponent(name).replaceAll(/['()*!]/g, (character) => {
    return `%${character.charCodeAt(0).toString(16).toUpperCase()}`
  })
}
