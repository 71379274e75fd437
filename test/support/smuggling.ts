/**
 * Sequences that some server somewhere has taken for the end of the data, and that are not: those of SEC Consult's SMTP
 * Smuggling, of its scanner and of the tools after it, and every line end around a dot that is none.
 */
export const smuggling: readonly string[] = (() => {
  const lineEnds = ['\r\n', '\n', '\r', '\n\r', '\r\r\n', '\n\n', '\r\r', '\r\0\n', '\r\n\0', '\0', '\x0b', '\x85']
  const dots = ['.', '.\0', '\0.', '..', '. ', ' .']
  const around = lineEnds.flatMap((before) => dots.flatMap((dot) => lineEnds.map((after) => `${before}${dot}${after}`)))
  return [...around, '\r\n.', '\r\n.\r\r\n', '\r\n.\r\0\n', '\r\n.\n\r\n', '\r\n\r.\r\n', '\r\n..\r\n.\n'].filter(
    (sequence) => !sequence.includes('\r\n.\r\n'),
  )
})()
