import { resolve } from 'node:path'

// Whoever writes a file and whoever follows it meet here, in whichever threads of the process they live.
const channelOf = (file: string) => {
  const channel = new BroadcastChannel(`sealpost log ${resolve(file)}`)
  channel.unref()
  return channel
}

/** Tells the followers of a log file in this process, in every thread, that it has grown. Keeps no process alive. */
export const announcer = (file: string) => {
  const channel = channelOf(file)
  return { announce: () => channel.postMessage(null), close: () => channel.close() }
}

/** Calls `onNews` after each announcement, and every second for writers that cannot be heard. Keeps no process alive. */
export const listenForCommits = (file: string, onNews: () => void) => {
  const channel = channelOf(file)
  channel.onmessage = onNews
  channel.unref()
  const poll = setInterval(onNews, 1_000).unref()
  return {
    close: () => {
      clearInterval(poll)
      channel.close()
    },
  }
}
