/** Variables of the command line, which say where a gateway elsewhere is; they set nothing of a gateway. */
export const commandVariables = {
  url: 'SEALPOST_URL',
  token: 'SEALPOST_TOKEN',
  ca: 'SEALPOST_CA',
  fingerprint: 'SEALPOST_FINGERPRINT',
} as const
