import DNS from 'dns2'

/** Texts of TXT records, addresses of A and AAAA, names of MX, by `name TYPE`. */
export type Zone = Readonly<Record<string, readonly string[]>>

export type TestDns = {
  /** `address:port`. */
  readonly server: string
  /** What was asked, `name TYPE`, in order. */
  readonly asked: readonly string[]
  close(): Promise<void>
}

const { TYPE, CLASS, RCODE } = DNS.Packet
const types = { TXT: TYPE.TXT, A: TYPE.A, AAAA: TYPE.AAAA, MX: TYPE.MX }
const nameOf = (type: number) => Object.entries(types).find(([, code]) => code === type)?.[0] ?? String(type)

const resource = (name: string, type: string, value: string) => {
  const common = { name, class: CLASS.IN, ttl: 60 }
  switch (type) {
    case 'MX':
      return { ...common, type: TYPE.MX, exchange: value, priority: 10 }
    case 'A':
      return { ...common, type: TYPE.A, address: value }
    case 'AAAA':
      return { ...common, type: TYPE.AAAA, address: value }
    default:
      return { ...common, type: TYPE.TXT, data: value.match(/.{1,255}/g) ?? '' }
  }
}

/** A DNS server for a zone. `*silence*` in place of a value: no answer ever; `*failure*`: SERVFAIL. */
export const startDns = async (zone: Zone): Promise<TestDns> => {
  const asked: string[] = []
  const server = DNS.createServer({
    udp: true,
    handle: (request, send) => {
      const response = DNS.Packet.createResponseFromRequest(request)
      const [question] = request.questions
      const name = question?.name.toLowerCase() ?? ''
      const type = nameOf(question?.type ?? 0)
      asked.push(`${name} ${type}`)
      const values = zone[`${name} ${type}`] ?? []
      if (values.includes('*silence*')) return
      if (values.includes('*failure*')) response.header.rcode = RCODE.SERVFAIL
      else for (const value of values) response.answers.push(resource(name, type, value) as never)
      const known = Object.keys(zone).some((key) => key.startsWith(`${name} `))
      if (!known) response.header.rcode = RCODE.NXDOMAIN
      void send(response)
    },
  })
  await server.listen({ udp: { port: 0, address: '127.0.0.1' } })
  const address = server.addresses().udp as { readonly port: number } | undefined
  return { server: `127.0.0.1:${address?.port ?? 0}`, asked, close: () => server.close() }
}
