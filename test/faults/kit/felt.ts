import type { World } from './world.js'

/** Counts what the processes complain about from `start` on. */
export function complaints({ places }: World, word = '"err":') {
  let from: number[] = []
  return {
    start: () => {
      from = places.map(({ service }) => service.lines.length)
    },
    count: () =>
      places.flatMap(({ service }, index) => service.lines.slice(from[index])).filter((line) => line.includes(word))
        .length,
  }
}

/** Counts what the other side has ended of the processes' connections to it. */
export function cutConnections({ places }: World, side: 'redis' | 'postgres') {
  const sum = () => places.flatMap(({ links }) => links[side] ?? []).reduce((total, { cut }) => total + cut, 0)
  let before = 0
  return {
    start: () => {
      before = sum()
    },
    count: () => sum() - before,
  }
}
