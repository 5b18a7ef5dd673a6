import { z } from 'zod'

/** Where a sandbox sends something; with another protocol the sending would fail later, and in the background. */
export const httpUrl = z.url({ protocol: /^https?$/, error: 'expected a URL that begins with http:// or https://' })
