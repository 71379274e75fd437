/** In words, OpenSSL's reason for not trusting a certificate. */
export const untrustedBecause = (code: string): string => {
  switch (code) {
    case 'CERT_NOT_YET_VALID':
      return 'the certificate is not valid yet'
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
      return 'the certificate is signed by itself only'
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
      return 'a certificate between this one and its authority is missing, or nobody knows that authority'
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
      return 'the certificate is of an authority that is not publicly trusted'
    default:
      return `the certificate is not trusted (${code})`
  }
}
