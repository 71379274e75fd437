import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { sourceOf } from '../../src/core/sourceAddress.ts'

const table = {
  '192.0.2.7': '192.0.2.7',
  '::ffff:192.0.2.7': '192.0.2.7',
  '::FFFF:192.0.2.7': '192.0.2.7',
  '2001:db8:1:2:3:4:5:6': '2001:db8:1:2::/64',
  '2001:0DB8:0001:0002::': '2001:db8:1:2::/64',
  '2001:db8:1:2::99': '2001:db8:1:2::/64',
  '2001:db8::99': '2001:db8:0:0::/64',
  '2001:db8::4:5:6:7:8': '2001:db8:0:4::/64',
  '::1': '0:0:0:0::/64',
  '::': '0:0:0:0::/64',
  '1::': '1:0:0:0::/64',
  '64:ff9b::192.0.2.7': '64:ff9b:0:0::/64',
  '1:2:3:4:5:6:192.0.2.7': '1:2:3:4::/64',
  'fe80::1%eth0': 'fe80:0:0:0::/64',
  '': '',
}

for (const [address, source] of Object.entries(table))
  test(`the address ${address || 'that is unknown'} stands for ${source || 'itself'}`, () =>
    assert.is(sourceOf(address), source))

test.run()
