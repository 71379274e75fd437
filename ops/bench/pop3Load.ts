// A client of its own process that fetches messages over POP3S with a pipeline of a given depth:
//   node ops/bench/pop3Load.ts PORT USER PASSWORD MESSAGES DEPTH
// Prints how many it fetched, their octets and the seconds that RETR took, as JSON. Login and listing are not counted.
import { connect } from 'node:tls'

const [port, user, password, wanted, depth] = process.argv.slice(2)
const socket = connect({ port: Number(port), host: '127.0.0.1', rejectUnauthorized: false })
const terminator = Buffer.from('\r\n.\r\n')

let onReply: (reply: string) => void = () => undefined
let multiline = false
let pending: Buffer = Buffer.alloc(0)

/** Looks for the end of the reply that is being read; a terminator may lie across two chunks. */
socket.on('data', (chunk: Buffer) => {
  pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk])
  for (;;) {
    const end = multiline ? pending.indexOf(terminator) : pending.indexOf('\r\n')
    if (end < 0) {
      octets += multiline ? Math.max(0, pending.length - 4) : 0
      if (multiline && pending.length > 4) pending = pending.subarray(-4)
      return
    }
    const reply = multiline ? '' : pending.toString('latin1', 0, end)
    octets += multiline ? end : 0
    pending = pending.subarray(end + (multiline ? 5 : 2))
    onReply(reply)
  }
})

let octets = 0
const ask = (command: string) =>
  new Promise<string>((resolve, reject) => {
    onReply = (reply) => (reply.startsWith('+OK') ? resolve(reply) : reject(new Error(`${command}: ${reply}`)))
    socket.write(`${command}\r\n`)
  })

const fetchAll = (count: number, ahead: number) =>
  new Promise<void>((resolve, reject) => {
    let asked = 0
    let fetched = 0
    const more = () => {
      let burst = ''
      while (asked < count && asked < fetched + ahead) burst += `RETR ${++asked}\r\n`
      if (burst) socket.write(burst)
    }
    onReply = (reply) => {
      if (!multiline && !reply.startsWith('+OK')) {
        reject(new Error(reply))
        return
      }
      multiline = !multiline
      if (multiline) return
      if (++fetched === count) {
        resolve()
        return
      }
      more()
    }
    more()
  })

await new Promise<void>((resolve) => (onReply = () => resolve()))
await ask(`USER ${user ?? ''}`)
await ask(`PASS ${password ?? ''}`)
const count = Math.min(Number(wanted), Number((await ask('STAT')).split(' ')[1]))
octets = 0
const started = performance.now()
await fetchAll(count, Number(depth))
console.log(JSON.stringify({ messages: count, octets, seconds: (performance.now() - started) / 1000 }))
await ask('QUIT')
socket.destroy()
