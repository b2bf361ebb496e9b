import { writeFileSync } from 'node:fs'
import { freshText, GENERATED_FILES } from './files.ts'

for (const file of GENERATED_FILES) {
  const { current, fresh } = freshText(file)
  if (fresh === current) continue
  writeFileSync(file.path, fresh)
  process.stdout.write(`${file.path}\n`)
}
