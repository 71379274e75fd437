import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ScratchOptions } from '../../ops/scratchGateway.ts'
import type { TestAuthority } from './testAuthority.ts'
import { startTestGateway } from './testGateway.ts'

/** A gateway whose clients may reach servers on these ports of `localhost` that the authority vouches for. */
export const startProxyGateway = async (
  authority: TestAuthority,
  ports: readonly number[],
  { env, ...options }: ScratchOptions = {},
) => {
  const dir = mkdtempSync(join(tmpdir(), 'sealpost-authority-'))
  const caFile = join(dir, 'ca.pem')
  writeFileSync(caFile, authority.cert)
  const gateway = await startTestGateway({
    ...options,
    env: {
      SEALPOST_PROXY_TARGETS: ports.map((port) => `localhost:${port}`).join(','),
      SEALPOST_PROXY_NETWORKS: '127.0.0.0/8,::1',
      SEALPOST_PROXY_CA_FILE: caFile,
      ...env,
    },
  })
  // It has read it.
  rmSync(dir, { recursive: true })
  return gateway
}
