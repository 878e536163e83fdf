import { keptMemory, parentProcess } from '../index.ts'

// Says which of the variables that `keptMemory` names it has.
const { send } = parentProcess()
send(Object.fromEntries(Object.keys(keptMemory).flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]]))))
