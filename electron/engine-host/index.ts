/**
 * The desktop's process behind the window: the library, the queue of runs, comparisons. It computes nothing itself, and may be killed and started again: a run that was
 * under way is then one to resume. What it asks others to compute runs in processes that main starts for it.
 */
import { toHostSchema, type FromHost, type ToEngineHost } from '../../engine/contract/index.ts'
import { UsageError } from '../../engine/errors.ts'
import { parentProcess } from '../../engine/processes/index.ts'
import { answered, openWorkbench, type Workbench } from '../../engine/workbench/index.ts'

const [store] = process.argv.slice(2)
if (store === undefined) throw new UsageError('expected the folder of the library as argument')

const { send, onMessage } = parentProcess()
const say = (message: FromHost): void => send(message)

const opened = openWorkbench(store).then((workbench) => {
  workbench.watch((event) => say({ event }))
  return workbench
})

const work = async (message: ToEngineHost, workbench: Workbench): Promise<unknown> => {
  if ('sound' in message) return workbench.wav(message.sound.data, message.sound.utterance)
  const { request, args } = toHostSchema.parse(message)
  return workbench.ask(request, args)
}

onMessage((received) => {
  const message = received as ToEngineHost
  answered(message.ask, opened.then((workbench) => work(message, workbench))).then(say, (error: unknown) => {
    throw error
  })
})
