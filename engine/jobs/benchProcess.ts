import { messageOf } from '../errors.ts'
import { parentProcess } from '../processes/index.ts'
import { openDevice } from '../runtime/index.ts'
import type { Answer, Request } from './benchWorker.ts'
import { matmulRate, openTask, type ReadyTask } from './benchTasks.ts'
import { peakBytes } from './peakMemory.ts'

/** Runs one task as often as it is asked to, for `bench`: a process of its own, whose peak of memory is this task's. */
let task: ReadyTask | undefined
let rate: (() => Promise<number>) | undefined

const answer = async (request: Request): Promise<Answer> => {
  if (request.kind === 'open') {
    const device = openDevice(request.device, { threads: request.threads })
    task = await openTask(device, request.task)
    rate = await matmulRate(device)
    return { kind: 'ready', device: device.name, parameters: task.parameters, work: task.work }
  }
  const [started, processor] = [performance.now(), process.cpuUsage()]
  await task!.run()
  const milliseconds = performance.now() - started
  const { user, system } = process.cpuUsage(processor)
  const peak = await peakBytes()
  return { kind: 'ran', milliseconds, processorMilliseconds: (user + system) / 1000, matmulRate: await rate!(), peakBytes: peak }
}

const { send, onMessage } = parentProcess()
onMessage((request) => {
  answer(request as Request)
    .catch((error: unknown): Answer => ({ kind: 'failed', error: messageOf(error) }))
    .then(send)
    .catch((error: unknown) => {
      throw error
    })
})
