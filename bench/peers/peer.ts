import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { createInterface, type Interface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'

/** One run of a peer: on the clock, of the processor (all threads), and the most memory its process has held so far. */
export interface PeerRun {
  readonly milliseconds: number
  readonly processorMilliseconds: number
  readonly peakBytes: number
}

/** Another implementation of a task in a process of its own: it writes a line when it is ready, with its version, and one for each line it reads. */
export class Peer {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>
  readonly #lines: AsyncIterator<string>
  readonly version: string
  /** What it computes on, where it says so. */
  readonly device: string | undefined

  private constructor(child: ChildProcessByStdio<Writable, Readable, null>, lines: AsyncIterator<string>, { version, device }: { version: string; device?: string }) {
    this.#child = child
    this.#lines = lines
    this.version = version
    this.device = device
  }

  /** Error when the command ends instead of getting ready; what it says of that goes to standard error. */
  static async open(command: string, args: readonly string[]): Promise<Peer> {
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    const failed = new Promise<never>((_, reject) => child.once('error', reject))
    const lines: Interface = createInterface({ input: child.stdout })
    const iterator = lines[Symbol.asyncIterator]()
    const first = await Promise.race([iterator.next(), failed])
    if (first.done === true) throw new Error(`${command} ${args.join(' ')}: expected a line when ready, found its end`)
    return new Peer(child, iterator, JSON.parse(first.value) as { version: string; device?: string })
  }

  async run(): Promise<PeerRun> {
    this.#child.stdin.write('\n')
    const line = await this.#lines.next()
    if (line.done === true) throw new Error(`${this.#child.spawnargs.join(' ')}: expected a line for the run, found its end`)
    return JSON.parse(line.value) as PeerRun
  }

  close(): void {
    this.#child.stdin.end()
    this.#child.kill()
  }
}
