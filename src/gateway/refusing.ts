import { createMetrics } from '../metrics/metrics.ts'
import { countRefusals } from '../refusals.ts'
import { version } from '../version.ts'
import type { Ground } from './ground.ts'

export type Refusing = ReturnType<typeof startRefusing>

/** Whoever is refused is counted twice: for those who watch now, and in the log. */
export const startRefusing = ({ config, log, stamp, clock, logger, cleanup }: Ground) => {
  const refusals = countRefusals({ node: config.gateway.node, log, stamp, clock, logger })
  cleanup.add(() => refusals.close())
  const metrics = createMetrics({ version, node: process.versions.node })
  return {
    metrics,
    refusals,
    refused: (source: string, kind: string) => {
      metrics.refused(kind)
      refusals.refused(source, kind)
    },
  }
}
