/**
 * Paths in package-lock.json of the packages that production may load: what is in the image, and what is optional.
 * `npm sbom --omit dev` does not tell: it leaves out what development needs, too, zod for one.
 */
export function productionPaths(packages) {
  const reached = new Set([''])
  for (const from of reached) {
    const { dependencies, optionalDependencies } = packages[from]
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
      const path = resolve(packages, from, name)
      if (path !== undefined) reached.add(path)
    }
  }
  reached.delete('')
  return reached
}

/** As Node looks for it: beside the package that asks, and then further up. */
function resolve(packages, from, name) {
  const path = `${from === '' ? '' : `${from}/`}node_modules/${name}`
  if (packages[path] !== undefined) return path
  return from === ''
    ? undefined
    : resolve(packages, from.slice(0, Math.max(0, from.lastIndexOf('node_modules/') - 1)), name)
}

export function nameOf(path) {
  return path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)
}
