import { expect, test } from 'vitest'
import type { ModelEntry } from '../../../engine/contract/index.ts'
import { childrenOf, descentOf, rolesOf } from './lineage.ts'

const model = (id: string, more: Partial<ModelEntry>): ModelEntry =>
  ({ id, name: id, path: `/m/${id}`, origin: 'imported', kind: 'transformer', addedAt: '', removed: false, facts: { head: 'a CTC head' }, files: [], evaluations: [], recorded: { weightsSha256: `sha-${id}` }, ...more }) as unknown as ModelEntry

const body = model('body', {})
const teacher = model('teacher', { recorded: { weightsSha256: 'sha-teacher', sourceSha256: 'sha-body' } })
const snapshot = model('snapshot', { path: '/runs/a/waypoints/update-00000010', recorded: { weightsSha256: 'sha-snapshot', sourceSha256: 'sha-body' } })
const student = model('student', { kind: 'student', origin: 'run', teacher: 'teacher', run: 'r', data: 'd' })
const brought = model('brought', { kind: 'student', recorded: { weightsSha256: 'sha-brought', teacherSha256: 'sha-teacher', guidance: 'hybrid' } })
const all = [student, brought, snapshot, teacher, body]

test('a model finds its ancestors by run or by recorded weights, wherever they lie', () => {
  expect(descentOf(student, all, []).map(({ model: { id }, how }) => [id, how])).toEqual([['body', undefined], ['teacher', 'fine-tuned'], ['student', 'converted']])
  expect(descentOf(brought, all, []).at(-1)).toMatchObject({ how: 'converted', guidance: 'hybrid' })
  expect(childrenOf(teacher, all, []).map(({ model: { id } }) => id)).toEqual(['student', 'brought'])
  expect(descentOf(body, all, [])).toHaveLength(1)
})

test('each model has its role', () => {
  expect(Object.fromEntries(rolesOf(all))).toEqual({ body: 'source', teacher: 'teacher', snapshot: 'snapshot', student: 'student', brought: 'student' })
})

test('a circle of records ends', () => {
  const a = model('a', { recorded: { weightsSha256: 'sha-a', sourceSha256: 'sha-b' } })
  const b = model('b', { recorded: { weightsSha256: 'sha-b', sourceSha256: 'sha-a' } })
  expect(descentOf(a, [a, b], []).map(({ model: { id } }) => id)).toEqual(['b', 'a'])
})
