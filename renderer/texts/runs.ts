import type { JobEvent, RunState } from '../../engine/contract/index.ts'
import { figures } from '../shared/format.ts'

/** Words of the Runs screens. */
export const runs = {
  title: 'Runs',
  lead: 'Conversions, one after the other, in a process of their own.',
  new: 'New conversion',
  empty: { title: 'No run yet', text: 'A conversion shows its curves here while it learns.', link: 'Run a first conversion' },
  gone: { title: 'No such run', text: 'It is not in the library any more.' },
  groups: { now: 'Under way', next: 'Queue', over: 'Over' },
  place: (n: number): string => (n === 1 ? 'next' : `number ${n} in the queue`),
  heldBy: (name: string): string => `waits for ${name}, which is paused`,
  updates: (done: number, all: number): string => `update ${done} of ${all}`,
  progress: (name: string): string => `Updates of ${name}`,
  wer: (wer: string): string => `WER ${wer}`,
  select: (name: string): string => `Choose ${name} for a comparison of runs`,
  compare: (n: number): string => (n < 2 ? 'Compare runs' : `Compare ${n} runs`),
  compareNote: 'Choose two runs or more to see their curves in one picture.',
  remove: 'Remove from the list',
  removed: (name: string): string => `${name} left the list; its files stay where they are`,
} as const

/** Each state in words, with what happens next. */
export const states: { readonly [S in RunState]: { readonly word: string; readonly badge: string; readonly next: string } } = {
  queued: { word: 'queued', badge: '', next: 'It starts when the run before it is over.' },
  running: { word: 'running', badge: 'live', next: 'It can be paused or stopped at any time; a checkpoint is written and it resumes from there.' },
  paused: { word: 'paused', badge: 'warn', next: 'The machine is free. The queue waits until it is resumed or stopped.' },
  stopped: { word: 'stopped', badge: '', next: 'Resume goes on from the checkpoint that was written.' },
  interrupted: { word: 'interrupted', badge: 'warn', next: 'The engine ended while it ran. Resume goes on from the newest checkpoint; updates behind it are done again.' },
  failed: { word: 'failed', badge: 'bad', next: 'What was written stands. Mend the cause, then resume.' },
  done: { word: 'done', badge: 'student', next: 'The student is in the library.' },
}

/** Words of one run's page. */
export const run = {
  guidedBy: (guidance: string): string => (guidance === 'unguided' ? 'unguided, from' : `${guidance} guidance by`),
  on: 'on',
  pause: 'Pause',
  stop: 'Stop',
  resume: 'Resume',
  student: 'Open the student',
  compare: 'Compare with the teacher',
  notify: 'Tell me when it ends',
  notifies: 'The browser will say when it ends',
  updates: (done: number, all: number): string => `${done} of ${all} updates`,
  measuring: 'measuring the time left …',
  left: (time: string): string => `about ${time} left`,
  nearly: 'nearly there',
  best: { wer: 'Best WER', accuracy: 'Best accuracy' },
  loss: 'Newest loss',
  rate: 'Learning rate',
  throughput: 'Throughput',
  throughputUnit: 's of audio a second',
  memory: 'Memory',
  over: 'Over',
  axes: { updates: 'updates', clock: 'time on the clock', seconds: 'time computing' },
  axisLabels: { updates: 'updates', clock: 'on the clock', seconds: 'computing' },
  smoothing: 'Smoothing',
  waiting: 'Curves appear with the first update.',
  loading: 'Reading what the run has written …',
  curves: { loss: 'Loss', total: 'total', alignment: 'α · alignment', outputs: 'β · outputs', wer: 'Word and character error rate', accuracy: 'Accuracy', rate: 'Learning rate', rateSeries: 'a step', throughput: 'Throughput', throughputSeries: 's of audio / s', memory: 'Memory', memorySeries: 'GiB' },
  newest: (title: string, latest: string): string => `${title}, newest: ${latest}`,
  noneYet: 'none yet',
  heat: {
    title: 'Alignment by layer',
    far: 'far from the teacher',
    near: 'near',
    layer: (n: number): string => `layer ${n}`,
    at: (update: number, layer: number, value: string): string => `update ${update}, layer ${layer}: ${value}`,
    label: (layers: number, values: string): string => `Newest alignment loss, layer 1 to ${layers}: ${values}`,
    lead: 'How far each layer is from the teacher’s, over the updates.',
    now: 'now',
  },
  samples: 'What it hears',
  said: 'Said',
  heard: 'Heard at the newest evaluation',
  nothing: '(nothing)',
  same: 'the same',
  samplesAt: (update: number): string => `Samples come with the first evaluation, at update ${update}.`,
  moreSamples: 'More',
  log: 'Log',
  emptyLog: 'Nothing yet.',
  settings: 'Settings',
  settingsNote: 'As they stand in run.json.',
} as const

/** A line of the log in words. */
export const logLine = (event: JobEvent): string => {
  if (event.kind === 'evaluation') return `update ${event.update}: ${figures(event)}${event.best ? ', the best so far' : ''}`
  if (event.kind === 'checkpoint') return `update ${event.update}: checkpoint written`
  if (event.kind === 'teacher') return `update ${event.update}: teacher ${event.teacher}`
  return event.kind === 'note' ? event.message : event.kind
}

/** Words of the comparison of runs. */
export const compareRuns = {
  title: 'Runs side by side',
  loss: 'Loss',
  wer: 'Word error rate',
  alignment: 'α · alignment',
  run: 'Run',
  guidance: 'Guidance',
  state: 'State',
  best: 'Best WER',
  updates: 'Updates',
  time: 'Time computing',
  differences: 'What they were told differently',
  setting: 'Setting',
  alike: 'They were told the same.',
  few: 'Choose two runs or more in the list of runs.',
  notSet: '–',
} as const
