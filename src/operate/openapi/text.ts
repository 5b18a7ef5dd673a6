import { routes } from '../api/routes.js'
import { openApiDocument } from './document.js'

/** The document as it is served, and as docs/openapi.json holds it. */
export function openApiText(): string {
  return `${JSON.stringify(openApiDocument(routes), null, 2)}\n`
}
