import { type RunRequest, type RunResult, runSeed } from './run.ts'

/** Leaves out faults as long as the same invariant is still broken: first halves, then quarters, then one by one. */
export async function shrink(failed: RunResult, request: RunRequest, budgetRuns: number): Promise<RunRequest> {
  let without = new Set(request.without)
  let kept = failed.faults.map((fault) => fault.index)
  let budget = budgetRuns
  const stillFails = async (leftOut: ReadonlySet<number>): Promise<boolean> => {
    const result = await runSeed({ ...request, without: leftOut, traceLines: 0 })
    return result.violation?.invariant === failed.violation?.invariant
  }
  for (let size = Math.ceil(kept.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < kept.length; ) {
      if (budget-- <= 0) return { ...request, without }
      const attempt = new Set([...without, ...kept.slice(at, at + size)])
      if (await stillFails(attempt)) {
        without = attempt
        kept = kept.filter((index) => !attempt.has(index))
      } else at += size
    }
  }
  return { ...request, without }
}
