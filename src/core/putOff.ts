/**
 * Why no message may begin now, although nothing is wrong with it: one address sends too many, the disks are nearly full, too
 * much is in memory, the storage does not keep up. Counted as refusals under these names.
 */
export const putOffs = ['too-many-messages', 'disk-reserve', 'bytes-in-flight', 'log-lag'] as const
export type PutOff = (typeof putOffs)[number]

export const isPutOff = (text: string): text is PutOff => (putOffs as readonly string[]).includes(text)
