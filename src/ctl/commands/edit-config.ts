import type { JsonObject } from '../../cluster/json.ts'
import { isKnownDynamicKey } from '../../config/unknown-keys.ts'
import { defineCommand } from '../cli/command.ts'
import { flag, integer, optional, text, texts } from '../cli/options.ts'
import { changedConfig, isSameValue, parseMapping } from '../config-edit.ts'
import { type EditedConfig, editConfig } from '../editing.ts'
import { CtlError } from '../errors.ts'
import { clusterName, groupOrConfigured, readSnapshot, tryStore } from '../reading.ts'
import type { Session } from '../session.ts'
import { showDiff } from '../show-diff.ts'
import { yamlText } from '../table/format.ts'
import { confirm } from '../term/prompts.ts'

interface ChangeOptions {
  readonly set: readonly string[]
  readonly pg: readonly string[]
  readonly apply: string | null
  readonly replace: string | null
}

/** Spec ctl.md 8.8. */
export default defineCommand({
  description: 'Change the configuration of a cluster in the store.',
  arguments: { cluster: optional('CLUSTER_NAME') },
  options: {
    group: integer('--group', 'Citus group'),
    quiet: flag('-q, --quiet', 'Do not show changes'),
    set: texts('-s, --set', 'Set specific configuration value. Can be specified multiple times', 'TEXT'),
    pg: texts('-p, --pg', 'Set specific PostgreSQL parameter value. Shorthand for -s postgresql.parameters.', 'TEXT'),
    apply: text('--apply', 'Apply configuration from file. Use - for stdin.', 'FILENAME'),
    replace: text(
      '--replace',
      'Apply configuration from file, replacing existing configuration. Use - for stdin.',
      'FILENAME',
    ),
    force: flag('--force', 'Do not ask for confirmation at any point'),
  },
  async run(session, args, options) {
    const { terminal, stores } = session
    const cluster = clusterName(session, args.cluster)
    const group = groupOrConfigured(session, options.group)
    const { config } = (await readSnapshot(session, cluster, group)).groups[0].view
    if (!config) throw new CtlError(`The config key does not exist in the cluster ${cluster}`)
    const before = await yamlText(config.document)
    const after =
      (await changedByOptions(session, config.document, options)) ?? (await editConfig(session, cluster, before))
    if (isSameValue(after.value, config.document)) {
      if (!options.quiet) terminal.write('Not changed\n')
      return
    }
    warnOfStrangers(session, config.document, after.value)
    if (!options.quiet) await showDiff(session, before, after.text)
    if (!(await mayApply(session, options))) return
    const written = await tryStore(session, { cluster, group }, (store, budget) =>
      store.writeConfig(after.value, config.version, budget),
    )
    if (written.kind === 'refused') throw new CtlError('Config modification aborted due to concurrent changes')
    if (written.kind === 'unknown')
      throw new CtlError(
        `${stores.description} did not answer, the configuration may or may not have been changed: ${written.reason}`,
      )
    terminal.write('Configuration changed\n')
  },
})

/** @returns `null` where no option asks for a change: the editor is wanted */
async function changedByOptions(
  session: Session,
  before: JsonObject,
  { set, pg, apply, replace }: ChangeOptions,
): Promise<EditedConfig | null> {
  if (set.length === 0 && pg.length === 0 && apply === null && replace === null) return null
  const value = changedConfig(before, {
    replace: replace === null ? null : await readMapping(session, replace),
    apply: apply === null ? null : await readMapping(session, apply),
    pairs: [...set, ...pg.map((pair) => `postgresql.parameters.${pair}`)],
  })
  return { text: await yamlText(value), value }
}

/** A typing error would change nothing and nobody would know why. */
function warnOfStrangers({ log }: Session, before: JsonObject, after: JsonObject): void {
  const strangers = Object.keys(after).filter((key) => !(key in before) && !isKnownDynamicKey(key))
  for (const key of strangers) log.warning(`Unknown key ${key}: it is stored, but means nothing to members`)
}

async function readMapping(session: Session, path: string): Promise<JsonObject> {
  if (path === '-') return parseMapping(await session.terminal.readAll(), 'The document on standard input')
  return parseMapping(await session.tools.readFile(path), path)
}

async function mayApply(
  { terminal }: Session,
  { force, apply, replace }: ChangeOptions & { readonly force: boolean },
): Promise<boolean> {
  if (force) return true
  if (apply === '-' || replace === '-') {
    terminal.write('Use --force option to apply changes\n')
    return false
  }
  return confirm(terminal, 'Apply these changes?')
}
