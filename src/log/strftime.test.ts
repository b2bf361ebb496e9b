import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { strftime } from './strftime.ts'

const FORMAT =
  '%Y %y %C %m %d %e %H %I %k %l %M %S %p %A %a %B %b %h %j %u %w %U %W %s %z %F %T %R %D %c %x %X %n%t%% %q'

test('13.1 dates are printed as the C library prints them', (context) => {
  const moments = [0, 86_399_000, 951_782_400_000, 1_735_689_599_000, 1_767_225_600_000, 1_782_000_000_000]
  const script = `import time,sys\nfor s in sys.argv[1:]: print(repr(time.strftime(${JSON.stringify(FORMAT)}, time.localtime(int(s)))))`
  const run = spawnSync('/usr/bin/python3', ['-c', script, ...moments.map((ms) => String(ms / 1000))], {
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C' },
  })
  if (run.status !== 0) {
    context.skip('python3 is not here')
    return
  }
  const expected = run.stdout.trim().split('\n')
  for (const [i, ms] of moments.entries()) {
    const text = strftime(FORMAT, ms).replace('\n', '\\n').replace('\t', '\\t')
    assert.equal(`'${text}'`, expected[i])
  }
})
