import { serve } from './serve.js'

// Not by itself: whatever did not stop in time would keep the process alive.
process.exit(await serve())
