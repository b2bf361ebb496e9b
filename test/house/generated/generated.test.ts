import assert from 'node:assert/strict'
import { test } from 'node:test'
import { freshText, GENERATED_FILES } from './files.ts'

for (const file of GENERATED_FILES)
  test(`${file.path} is as the sources make it: npm run generate`, () => {
    const { current, fresh } = freshText(file)
    assert.equal(current, fresh)
  })
