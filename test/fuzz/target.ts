import type fc from 'fast-check'

/** What an input is made of, so that it can be kept as it is: octets are texts of one character (Latin-1) each. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json }

/** A part of the gateway that takes what others have written, and how it is tried. */
export type Target<I extends Json = Json> = {
  readonly inputs: fc.Arbitrary<I>
  /** Throws for an input that shows a defect. Leaves nothing running. */
  readonly check: (input: I) => void | Promise<void>
  /** Milliseconds of processor time that no input may cost. */
  readonly costs: number
  /** Milliseconds in which nothing need happen to an input; a second unless said otherwise. */
  readonly idle?: number
  /** Of the machines that are driven: all there are, and those that the run has got to, which is added to. */
  readonly states?: { readonly known: ReadonlySet<string>; readonly reached: Set<string> }
  /** Of the run as a whole. Throws for a defect. */
  readonly close?: () => void | Promise<void>
}

/** The inputs that are kept of a target, by what each of them is: each is tried, and what is drawn begins with one of them. */
export type Corpus<I extends Json = Json> = Readonly<Record<string, I>>

export type OpenTarget<I extends Json = Json> = (corpus: readonly I[]) => Target<I> | Promise<Target<I>>

/** An input is for the target that it was drawn for, which the list of all cannot say. */
export const target = <I extends Json>(open: OpenTarget<I>): OpenTarget => open as unknown as OpenTarget
