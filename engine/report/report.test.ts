import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { niceTicks, smoothed } from './chart.ts'
import { metricsCsv, reportPage, type Report } from './index.ts'

const update = (n: number, ctc: number) => ({ kind: 'update', update: n, updates: 3, loss: ctc, ctc, learningRate: 1e-3, gradientNorm: 1, audioSeconds: 1, audioSecondsPerSecond: 1, memoryBytes: 2 ** 30, infeasible: 0, secondsLeft: 0 }) as const

/** The same of a classifier. */
const classifying = (n: number, crossEntropy: number) => ({ kind: 'update', update: n, updates: 3, loss: crossEntropy, crossEntropy, learningRate: 1e-3, gradientNorm: 1, audioSeconds: 1, audioSecondsPerSecond: 1, memoryBytes: 2 ** 30, infeasible: 0, secondsLeft: 0 }) as const

const report: Report = {
  title: 'Teacher & <student>',
  summary: 'Two models.',
  rows: [
    { name: 'teacher', wer: 0.125, cer: 0.05, parameters: 1234567, realTimeFactor: 0.0123 },
    { name: 'student', wer: 0.2, cer: 0.1, parameters: undefined, realTimeFactor: undefined, note: 'update 3' },
  ],
  runs: [{ name: 'student', path: 'runs/student', settings: { seed: 1 }, updates: [update(1, 3), update(2, 2), update(3, 1)], evaluations: [{ kind: 'evaluation', update: 3, wer: 0.2, cer: 0.1, best: true }], transcripts: [] }],
  transcripts: [
    { name: 'teacher', utterances: [{ id: 'a.wav', reference: 'ONE TWO THREE', hypothesis: 'ONE TWO THREE' }, { id: 'b.wav', reference: 'FOUR <FIVE>', hypothesis: 'FOUR SIX <FIVE>' }] },
    { name: 'student', utterances: [{ id: 'a.wav', reference: 'ONE TWO THREE', hypothesis: 'WON TWO' }, { id: 'b.wav', reference: 'FOUR <FIVE>', hypothesis: 'FOUR <FIVE>' }] },
  ],
  latency: {
    points: [10, 60].flatMap((duration) => ['teacher', 'student'].map((name) => ({ name, duration, latency: duration / 50, peakBytes: 3e8 }))),
    failures: [{ name: 'teacher', duration: 300, error: 'out of memory' }],
  },
}

/** The text of elements of a class. */
const textsOf = (html: string, name: string): string[] => [...html.matchAll(new RegExp(`<span class="${name}"[^>]*>([^<]*)</span>`, 'g'))].map(([, text]) => text!)

describe('reportPage', () => {
  const html = reportPage(report)
  const words = html.slice(html.indexOf('<dl'))

  it('states every figure', () => {
    for (const text of ['12.50 %', '20.00 %', '1,234,567', '0.0123', '286 MiB', '1.200 s', 'out of memory']) expect(html).toContain(text)
  })

  it('marks what was heard wrongly, and puts the worst utterance first', () => {
    expect(textsOf(words, 'wrong')).toEqual(['WON'])
    expect(textsOf(words, 'missing')).toEqual(['THREE'])
    expect(textsOf(words, 'added')).toEqual(['SIX'])
    expect(words.indexOf('a.wav')).toBeLessThan(words.indexOf('b.wav'))
  })

  it('shows text as text, and fetches nothing', () => {
    expect(html).toContain('Teacher &amp; &lt;student&gt;')
    expect(html).not.toContain('<FIVE>')
    expect(html).not.toMatch(/https?:|<script|src=|@import|url\(/)
  })

  it('draws each measured point where it belongs', () => {
    const [, latency] = html.split('Time to transcribe, by length</figcaption>')
    const circles = [...latency!.slice(0, latency!.indexOf('</figure>')).matchAll(/cx="([\d.]+)" cy="([\d.]+)"/g)].map(([, x, y]) => [Number(x), Number(y)])
    // Two series of two points: at the left and right edge, the shorter one at the bottom, the longer one at the top.
    expect(circles).toEqual([[64, 256], [704, 12], [64, 256], [704, 12]])
  })
})

describe('reportPage of classifiers', () => {
  it('has accuracy in the table, of each label set where there are several, and in the curves', () => {
    const evaluation = { kind: 'evaluation', update: 3, accuracy: 0.625, accuracyOf: { scenario: 0.875, action: 0.75 }, best: true } as const
    const html = reportPage({
      ...report,
      rows: [{ name: 'classifier', accuracy: 0.625, accuracyOf: { scenario: 0.875, action: 0.75 }, parameters: undefined, realTimeFactor: undefined }],
      runs: [{ name: 'classifier', path: 'runs/classifier', settings: {}, updates: [classifying(1, 3), classifying(2, 2)], evaluations: [evaluation], transcripts: [] }],
    })
    expect(html).toContain(`<th scope="col">accuracy</th><th scope="col">scenario</th><th scope="col">action</th>`)
    expect(html).toContain('<td>62.50 %</td><td>87.50 %</td><td>75.00 %</td>')
    expect(html).toContain('Accuracy on the development data')
    expect(html).toContain('Cross entropy per label, smoothed')
    expect(html).not.toContain('WER')
  })
})

describe('metricsCsv', () => {
  it('has a line an update, with layers and evaluations in their columns, and quotes what needs it', () => {
    const guided = { ...update(1, 3), layerwise: 2, output: 0.5, alignment: [4, 5] }
    const classifier = { ...report.runs[0]!, name: 'classifier', updates: [classifying(1, 2)], evaluations: [{ kind: 'evaluation', update: 1, accuracy: 0.75, accuracyOf: { speaker: 0.75 }, best: true }] } as const
    const [head, ...rows] = metricsCsv([{ ...report.runs[0]!, name: 'a "b", c' }, { ...report.runs[0]!, name: 'guided', updates: [guided], evaluations: [] }, classifier]).split('\r\n')
    expect(head).toBe('run,update,loss,ctc,cross_entropy,layerwise,output,alignment_0,alignment_1,learning_rate,gradient_norm,audio_seconds,audio_seconds_per_second,memory_bytes,wer,cer,accuracy')
    expect(rows).toEqual(['"a ""b"", c",1,3,3,,,,,,0.001,1,1,1,1073741824,,,', '"a ""b"", c",2,2,2,,,,,,0.001,1,1,1,1073741824,,,', '"a ""b"", c",3,1,1,,,,,,0.001,1,1,1,1073741824,0.2,0.1,', 'guided,1,3,3,,2,0.5,4,5,0.001,1,1,1,1073741824,,,', 'classifier,1,2,,2,,,,,0.001,1,1,1,1073741824,,,0.75', ''])
  })
})

describe('niceTicks', () => {
  it('are round, inside, and few but more than one', () => {
    fc.assert(
      fc.property(fc.double({ min: -1e6, max: 1e6, noNaN: true }), fc.double({ min: 1e-3, max: 1e6, noNaN: true }), (low, span) => {
        const ticks = niceTicks(low, low + span)
        expect(ticks.length).toBeGreaterThan(1)
        expect(ticks.length).toBeLessThan(8)
        for (const tick of ticks) {
          expect(tick).toBeGreaterThanOrEqual(low - 1e-6 * span)
          expect(tick).toBeLessThanOrEqual(low + span + 1e-6 * span)
        }
      }),
    )
  })
})

describe('smoothed', () => {
  it('keeps a constant, smooths before it thins, and keeps the last point', () => {
    const flat = Array.from({ length: 1000 }, (_, i) => [i, 7] as const)
    for (const [, y] of smoothed(flat)) expect(y).toBeCloseTo(7, 10)
    const spike = flat.map(([x]) => [x, x % 2] as const)
    const thin = smoothed(spike, 0.99, 100)
    expect(thin.length).toBeLessThanOrEqual(101)
    expect(thin.at(-1)![0]).toBe(999)
    for (const [x, y] of thin) if (x > 500) expect(y).toBeCloseTo(0.5, 1)
  })
})
