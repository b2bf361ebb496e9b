import { lockOwner } from '../../cluster/view.ts'
import { defineCommand } from '../cli/command.ts'
import { choice, integer, required, withDefault } from '../cli/options.ts'
import { CtlError } from '../errors.ts'
import { askStore, readSnapshot } from '../reading.ts'
import { FORMATS } from '../table/format.ts'
import { memberTable } from '../table/member-table.ts'
import { askText } from '../term/prompts.ts'

/** Spec ctl.md 8.16. */
export default defineCommand({
  description: 'Remove everything about a cluster from the store. Running members write their part again.',
  arguments: { cluster: required('CLUSTER_NAME') },
  options: {
    group: integer('--group', 'Citus group'),
    format: withDefault(choice('-f, --format', FORMATS, 'Output format'), 'pretty'),
  },
  async run(session, { cluster }, { group, format }) {
    const { terminal, config } = session
    if (config.citus !== null && group === null) throw new CtlError('For Citus clusters the --group must me specified')
    const snapshot = await readSnapshot(session, cluster, group)
    terminal.write(await memberTable(snapshot, { format }))
    if ((await askText(terminal, 'Please confirm the cluster name to remove')) !== cluster)
      throw new CtlError('Cluster names specified do not match')
    const warning = `You are about to remove all information in DCS for ${cluster}, please type: "Yes I am aware"`
    if ((await askText(terminal, warning)) !== 'Yes I am aware')
      throw new CtlError('You did not exactly type "Yes I am aware"')
    const leader = lockOwner(snapshot.groups[0].view)
    const question = 'This cluster currently is healthy. Please specify the leader name to continue'
    if (leader !== null && (await askText(terminal, question)) !== leader)
      throw new CtlError('You did not specify the current leader of the cluster')
    await askStore(session, { cluster, group }, (store, budget) => store.deleteCluster(budget))
  },
})
