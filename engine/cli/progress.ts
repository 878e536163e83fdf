import { taskLossOf } from '../evaluate/index.ts'
import { figuresInWords } from '../report/index.ts'
import type { JobEvent, OnEvent, ProgressEvent, UpdateEvent } from '../contract/index.ts'

/** Milliseconds between lines where standard error is not a terminal. */
const lineInterval = 5000

const duration = (seconds: number): string => {
  const whole = Math.max(0, Math.round(seconds))
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60]
  return h > 0 ? `${h} h ${m} min` : m > 0 ? `${m} min ${s} s` : `${s} s`
}

const updateLine = (event: UpdateEvent): string => {
  const { label, value } = taskLossOf(event)
  const parts = [`${label} ${value.toFixed(3)}`]
  if (event.layerwise !== undefined) parts.push(`layerwise ${event.layerwise.toFixed(3)}`)
  if (event.output !== undefined) parts.push(`output ${event.output.toFixed(3)}`)
  return (
    `${bar(event.update / event.updates)}  update ${event.update}/${event.updates}  loss ${event.loss.toFixed(3)} (${parts.join(', ')})  ` +
    `lr ${event.learningRate.toExponential(2)}  ${event.audioSecondsPerSecond.toFixed(1)} audio s/s  ${duration(event.secondsLeft)} left`
  )
}

const bar = (fraction: number): string => `[${'#'.repeat(Math.round(24 * fraction)).padEnd(24, '·')}] ${String(Math.round(100 * fraction)).padStart(3)} %`

const progressLine = ({ stage, done, total, secondsLeft }: ProgressEvent): string =>
  secondsLeft === undefined ? `${bar(done / total)}  ${stage} ${done}/${total}` : `${bar(done / total)}  ${duration(secondsLeft)} left  ${stage}`

/** One live line on a terminal, a line every few seconds elsewhere; evaluations and notes always get a line of their own. */
export const showProgress = (stream: NodeJS.WriteStream): { onEvent: OnEvent; end: () => void } => {
  const live = stream.isTTY
  let lastLine = 0
  let open = false
  const clear = (): void => {
    if (open) stream.write('\r\x1b[2K')
    open = false
  }
  const passing = (line: string, final: boolean): void => {
    if (live) {
      stream.write(`\r\x1b[2K${line.slice(0, stream.columns - 1)}`)
      open = true
    } else if (final || Date.now() - lastLine >= lineInterval) {
      lastLine = Date.now()
      stream.write(`${line}\n`)
    }
  }
  const lasting = (line: string): void => {
    clear()
    stream.write(`${line}\n`)
  }
  const onEvent = (event: JobEvent): void => {
    switch (event.kind) {
      case 'update':
        { passing(updateLine(event), event.update === event.updates); return; }
      case 'progress':
        { passing(progressLine(event), event.done === event.total); return; }
      case 'evaluation':
        { lasting(`update ${event.update}: dev ${figuresInWords(event)}${event.best ? ', the best so far' : ''}`); return; }
      case 'teacher':
        { lasting(`update ${event.update}: teacher ${event.teacher}${figuresInWords(event) === '' ? '' : `, dev ${figuresInWords(event)}`}`); return; }
      case 'checkpoint':
        return
      case 'note':
        { lasting(event.message); return; }
    }
  }
  return { onEvent, end: clear }
}
