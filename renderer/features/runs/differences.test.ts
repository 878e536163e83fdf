import { expect, test } from 'vitest'
import type { Conversion } from '../../../engine/contract/index.ts'
import { differencesOf } from './differences.ts'

test('settings that differ are found wherever they hang, and no others', () => {
  const conversion = (peak: number, mixer: unknown): Conversion => ({ name: `run ${peak}`, teacher: 't', train: 'a', dev: 'b', guidance: { guidance: 'target' }, mixer, training: { updates: 10, schedule: { peak }, speeds: [1] }, device: 'auto' }) as unknown as Conversion
  expect(differencesOf([conversion(1e-3, 'inherited'), conversion(3e-3, { headdim: 32 })])).toEqual([
    { path: 'mixer', values: ['inherited', undefined] },
    { path: 'training.schedule.peak', values: ['0.001', '0.003'] },
    { path: 'mixer.headdim', values: [undefined, '32'] },
  ])
  expect(differencesOf([conversion(1, 'inherited'), conversion(1, 'inherited')])).toEqual([])
})
