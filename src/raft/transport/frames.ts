/** Nothing on a connection is longer: a stranger cannot make us keep more than that. */
export const FRAME_MAX = 512 * 1024

/** A frame is its length in four bytes, and that many bytes. */
export function frame(body: Buffer): Buffer {
  const framed = Buffer.allocUnsafe(4 + body.length)
  framed.writeUInt32BE(body.length, 0)
  body.copy(framed, 4)
  return framed
}

/** Cuts a stream of bytes into frames. */
export class FrameReader {
  #kept: Buffer = Buffer.alloc(0)

  /** @returns the frames that are complete now; `null`: this is no stream of frames */
  push(bytes: Buffer): Buffer[] | null {
    this.#kept = this.#kept.length === 0 ? bytes : Buffer.concat([this.#kept, bytes])
    const frames: Buffer[] = []
    while (this.#kept.length >= 4) {
      const length = this.#kept.readUInt32BE(0)
      if (length > FRAME_MAX) return null
      if (this.#kept.length < 4 + length) break
      frames.push(this.#kept.subarray(4, 4 + length))
      this.#kept = this.#kept.subarray(4 + length)
    }
    // A small rest must not hold on to a large piece of memory.
    if (this.#kept.length > 0 && this.#kept.length < bytes.length / 2) this.#kept = Buffer.from(this.#kept)
    return frames
  }
}

const WHOLE = 0
const PART = 1
const LAST_PART = 2

/** Texts longer than this go in parts, between which short ones find room. */
export const PART_BYTES = 64 * 1024
/** The longest text that is put together again. */
export const TEXT_MAX = 64 * 1024 * 1024

export function wholeText(body: Buffer): Buffer {
  return Buffer.concat([Buffer.from([WHOLE]), body])
}

/** A long text under way, part by part. */
export class Parts {
  readonly #body: Buffer
  #at = 0

  constructor(body: Buffer) {
    this.#body = body
  }

  get isDone(): boolean {
    return this.#at >= this.#body.length
  }

  next(): Buffer {
    const part = this.#body.subarray(this.#at, this.#at + PART_BYTES)
    this.#at += part.length
    return Buffer.concat([Buffer.from([this.isDone ? LAST_PART : PART]), part])
  }
}

/** Puts long texts together. */
export class TextReader {
  #parts: Buffer[] = []
  #bytes = 0

  /** @returns a complete text; `undefined`: there will be more; `null`: nothing that makes sense */
  push(body: Buffer): string | null | undefined {
    const rest = body.subarray(1)
    switch (body[0] ?? PART) {
      case WHOLE:
        return rest.toString('utf8')
      case PART:
      case LAST_PART: {
        this.#bytes += rest.length
        if (this.#bytes > TEXT_MAX) return null
        this.#parts.push(Buffer.from(rest))
        if (body[0] === PART) return undefined
        const text = Buffer.concat(this.#parts).toString('utf8')
        this.#parts = []
        this.#bytes = 0
        return text
      }
      default:
        return null
    }
  }
}
