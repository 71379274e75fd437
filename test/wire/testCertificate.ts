import { issue } from '../../src/tls/issue.ts'

const day = 86_400_000

/** A certificate for 127.0.0.1 and localhost that no client trusts. PEM. */
export const testCertificate = () =>
  issue({
    names: ['localhost', '127.0.0.1'],
    notBefore: new Date(Date.now() - day),
    notAfter: new Date(Date.now() + day),
  })
