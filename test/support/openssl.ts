import { execFile } from 'node:child_process'

export type Shown = {
  readonly port: number
  /** What it asks for (SNI); none: it asks for nothing. */
  readonly name?: string
  /** The protocol whose STARTTLS it speaks first. */
  readonly starttls?: 'smtp' | 'pop3'
}

/** The first certificate, PEM, that `openssl s_client` is shown at a port of 127.0.0.1. */
export const shownToOpenssl = ({ port, name, starttls }: Shown): Promise<string> => {
  const asking = name === undefined ? ['-noservername'] : ['-servername', name]
  const args = ['s_client', '-connect', `127.0.0.1:${port}`, ...asking, ...(starttls ? ['-starttls', starttls] : [])]
  return new Promise((resolve, reject) => {
    const child = execFile('openssl', args, { timeout: 100_000 }, (_, stdout, stderr) => {
      const [pem] = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/.exec(stdout) ?? []
      if (pem === undefined) reject(new Error(`openssl was shown nothing:\n${stdout}\n${stderr}`))
      else resolve(pem)
    })
    child.stdin?.end()
  })
}
