const signature = Buffer.from('0d0a0d0a000d0a515549540a', 'hex')

/** A header of version 2, of any version, command and family. */
export const binaryHeader = (command: number, family: number, ...parts: readonly Uint8Array[]): Buffer => {
  const rest = Buffer.concat(parts)
  const fixed = Buffer.alloc(4)
  fixed.writeUInt8(command, 0)
  fixed.writeUInt8(family, 1)
  fixed.writeUInt16BE(rest.length, 2)
  return Buffer.concat([signature, fixed, rest])
}

const ports = Buffer.from('dc040019', 'hex')
/** From an IPv4 address to any. */
export const inet = (source: string): Buffer =>
  Buffer.concat([Buffer.from(source.split('.').map(Number)), Buffer.from([198, 51, 100, 1]), ports])
/** From an IPv6 address, in 32 hexadecimal digits, to any. */
export const inet6 = (source: string): Buffer => Buffer.concat([Buffer.from(source, 'hex'), Buffer.alloc(16, 1), ports])
