import type { Subject } from '../subject.ts'
import { haproxy } from './haproxy.ts'
import { nginx } from './nginx.ts'
import { sluice } from './sluice.ts'

export const subjects: readonly Subject[] = [sluice, nginx, haproxy]
