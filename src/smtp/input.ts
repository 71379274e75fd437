import { SMTPStream } from 'smtp-server/lib/smtp-stream.js'
import { type DataParser, dataParser } from '../wire/dataParser.ts'
import { turnTime } from '../wire/turn.ts'
import { type LineReader, lineReader } from './lineReader.ts'

/** What a connection does with what its peer sends; called in the order of the wire, never one inside another. */
export type InputHandlers = {
  /** So many octets came in. */
  received(octets: number): void
  line(line: Buffer): void
  lineTooLong(): void
  /** The peer sends a line without end. */
  endless(): void
  /** The content of a message. Whether more may follow at once. */
  content(pieces: readonly Uint8Array[]): boolean
  /** The end of the data, or of a chunk, was read; what follows are commands. */
  endOfData(): void
  /** A run of the above is over: a good moment to write what they had to say. */
  pause(): void
  /** It is the peer's turn again. */
  resumed(): void
  /** The peer will send nothing more, and everything that it sent has been handled. */
  finished(): void
}

const nothing = () => {}

/**
 * What `smtp-server` pipes its socket into, in place of its own parser: command lines one at a time, and the content of
 * messages, with the back-pressure of a stream.
 */
export class SmtpInput extends SMTPStream {
  readonly #handlers: InputHandlers
  readonly #lines: LineReader
  #data: DataParser | undefined
  /** Octets of a chunk that are still to come. */
  #chunk = 0
  #held = false
  /** Milliseconds. */
  #heldSince = 0
  #heldBefore = 0
  #running = false
  /** When this connection's turn began, however often it was held since. */
  #turnBegan = 0
  #awaitsTurn = false
  #finished = false
  #rest: Buffer | undefined
  #at = 0
  #next: () => void = nothing

  /** `maxLine`: octets of a line without its CRLF. */
  constructor(handlers: InputHandlers, maxLine: number) {
    super()
    this.#handlers = handlers
    this.#lines = lineReader(maxLine)
  }

  /** Nothing is handled until `resume`. */
  get held(): boolean {
    return this.#held
  }

  /** What comes is the content of a message. */
  get inData(): boolean {
    return this.#data !== undefined || this.#chunk > 0
  }

  /** Seconds in all for which nothing was handled, until it was `resume`d. */
  get heldFor(): number {
    return this.#heldBefore / 1000
  }

  hold(): void {
    if (this.#held) return
    this.#held = true
    this.#heldSince = performance.now()
  }

  resume(): void {
    if (this.#held) {
      this.#heldBefore += performance.now() - this.#heldSince
      this.#held = false
      this.#handlers.resumed()
    }
    this.#run()
    if (this.#finished) this._flushData()
  }

  /** What follows is the content of a message. */
  startData(): void {
    this.#data = dataParser()
  }

  /** What follows is a chunk of so many octets, at least one. */
  startChunk(octets: number): void {
    this.#chunk = octets
  }

  override _write(chunk: Buffer, _encoding: string, next: () => void): void {
    this.#handlers.received(chunk.length)
    this.#rest = chunk
    this.#at = 0
    this.#next = next
    this.#beginTurn()
  }

  /** The base class calls this when the stream has finished. */
  override _flushData(): void {
    this.#finished = true
    if (!this.#held && !this.isClosed) this.#handlers.finished()
  }

  #beginTurn(): void {
    this.#turnBegan = performance.now()
    this.#run()
  }

  #run(): void {
    if (this.#running) return
    this.#running = true
    while (this.#rest !== undefined && !this.#held && performance.now() - this.#turnBegan < turnTime) {
      if (this.isClosed) this.#rest = undefined
      else if (this.#data !== undefined) this.#takeData(this.#data, this.#rest.subarray(this.#at))
      else if (this.#chunk > 0) this.#takeChunk(this.#rest)
      else if (!this.#takeLine(this.#rest)) this.#rest = undefined
    }
    this.#running = false
    this.#handlers.pause()
    if (this.#rest === undefined) this.#done()
    else if (!this.#held) this.#awaitTurn()
  }

  #awaitTurn(): void {
    if (this.#awaitsTurn) return
    this.#awaitsTurn = true
    setImmediate(() => {
      this.#awaitsTurn = false
      this.#beginTurn()
    })
  }

  #done(): void {
    const next = this.#next
    this.#next = nothing
    next()
  }

  /** Whether there was a line. */
  #takeLine(chunk: Buffer): boolean {
    const read = this.#lines.read(chunk, this.#at)
    if (read.is === 'partial') return false
    if (read.is === 'endless') {
      this.#handlers.endless()
      return false
    }
    this.#at = read.next
    if (read.is === 'line') this.#handlers.line(read.line)
    else this.#handlers.lineTooLong()
    return true
  }

  #takeData(parser: DataParser, chunk: Buffer): void {
    const { content, rest } = parser.push(chunk)
    if (rest === undefined) {
      this.#rest = undefined
      if (!this.#handlers.content(content)) this.hold()
      return
    }
    this.#data = undefined
    // Copied: the content is the consumer's from now on, with the memory in which it lies.
    this.#rest = rest.length === 0 ? undefined : Buffer.from(rest)
    this.#at = 0
    this.#handlers.content(content)
    this.#handlers.endOfData()
  }

  #takeChunk(octets: Buffer): void {
    const from = this.#at
    const end = Math.min(octets.length, from + this.#chunk)
    const content = octets.subarray(from, end)
    const rest = octets.subarray(end)
    this.#chunk -= content.length
    // The content is the consumer's from now on, with the memory in which it lies: the smaller part is copied out of it.
    const copied = rest.length > content.length
    this.#at = copied ? end : 0
    if (rest.length === 0) this.#rest = undefined
    else if (!copied) this.#rest = Buffer.from(rest)
    if (!this.#handlers.content([copied ? Buffer.from(content) : content])) this.hold()
    if (this.#chunk === 0) this.#handlers.endOfData()
  }
}
