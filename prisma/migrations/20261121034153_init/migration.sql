-- CreateTable
CREATE TABLE "seen_events" (
    "hash" BYTEA NOT NULL,

    CONSTRAINT "seen_events_pkey" PRIMARY KEY ("hash")
);

-- CreateTable
CREATE TABLE "events" (
    "id" BIGSERIAL NOT NULL,
    "app_id" TEXT NOT NULL,
    "event_id" TEXT NOT NULL,
    "type" TEXT NOT NULL,
    "tenant_key" TEXT NOT NULL,
    "create_time" TEXT NOT NULL,
    "received_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "state" TEXT NOT NULL DEFAULT 'new',
    "due_at" TIMESTAMPTZ(6) DEFAULT CURRENT_TIMESTAMP,
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "error" TEXT,
    "settled_at" TIMESTAMPTZ(3),
    "payload_sealed" BYTEA,

    CONSTRAINT "events_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "app_tickets" (
    "app_id" TEXT NOT NULL,
    "ticket" BYTEA,
    "ts" TEXT NOT NULL DEFAULT '0',
    "received_at" TIMESTAMPTZ(3),
    "resend_asked_at" TIMESTAMPTZ(3),

    CONSTRAINT "app_tickets_pkey" PRIMARY KEY ("app_id")
);

-- CreateTable
CREATE TABLE "tenants" (
    "app_id" TEXT NOT NULL,
    "tenant_key" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "changed_ts" TEXT NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "tenants_pkey" PRIMARY KEY ("app_id","tenant_key")
);

-- CreateTable
CREATE TABLE "accounts" (
    "account_id" TEXT NOT NULL,
    "app_id" TEXT NOT NULL,
    "tenant_key" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "usage_list" INTEGER[],
    "custom_fields_sealed" BYTEA,
    "state" TEXT NOT NULL,
    "customer_id" TEXT,
    "failure" JSONB,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "accounts_pkey" PRIMARY KEY ("account_id")
);

-- CreateTable
CREATE TABLE "orders" (
    "background_check_id" TEXT NOT NULL,
    "app_id" TEXT NOT NULL,
    "tenant_key" TEXT NOT NULL,
    "account_id" TEXT,
    "package_id" TEXT,
    "vendor_order_id" TEXT,
    "state" TEXT NOT NULL,
    "attention" TEXT[] DEFAULT ARRAY[]::TEXT[],
    "failure" JSONB,
    "payload_sealed" BYTEA,
    "data_key" BYTEA,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "orders_pkey" PRIMARY KEY ("background_check_id")
);

-- CreateTable
CREATE TABLE "timeline" (
    "id" BIGSERIAL NOT NULL,
    "background_check_id" TEXT NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "kind" TEXT NOT NULL,
    "detail" JSONB NOT NULL DEFAULT '{}',

    CONSTRAINT "timeline_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "vendor_tasks" (
    "subject" TEXT NOT NULL,
    "action" TEXT NOT NULL,
    "tenant_key" TEXT NOT NULL,
    "due_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "fence" INTEGER NOT NULL DEFAULT 0,
    "claimed" BOOLEAN NOT NULL DEFAULT false,
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "first_attempt_at" TIMESTAMPTZ(3),
    "ambiguous_at" TIMESTAMPTZ(3),
    "last_error" TEXT,
    "reason_sealed" BYTEA,

    CONSTRAINT "vendor_tasks_pkey" PRIMARY KEY ("subject")
);

-- CreateTable
CREATE TABLE "poll_schedule" (
    "background_check_id" TEXT NOT NULL,
    "tenant_key" TEXT NOT NULL,
    "due_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "interval_ms" INTEGER NOT NULL,
    "fence" INTEGER NOT NULL DEFAULT 0,
    "claimed" BOOLEAN NOT NULL DEFAULT false,
    "nudged" BOOLEAN NOT NULL DEFAULT false,
    "fingerprint" BYTEA,

    CONSTRAINT "poll_schedule_pkey" PRIMARY KEY ("background_check_id")
);

-- CreateTable
CREATE TABLE "vendor_nudges" (
    "vendor_order_id" TEXT NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "vendor_nudges_pkey" PRIMARY KEY ("vendor_order_id")
);

-- CreateTable
CREATE TABLE "vendor_feeds" (
    "name" TEXT NOT NULL,
    "cursor" TEXT,
    "lease_until" TIMESTAMPTZ(6),
    "fence" INTEGER NOT NULL DEFAULT 0,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "vendor_feeds_pkey" PRIMARY KEY ("name")
);

-- CreateTable
CREATE TABLE "lanes" (
    "lane" TEXT NOT NULL,
    "last_seq" INTEGER NOT NULL DEFAULT 0,
    "last_stage_time" BIGINT NOT NULL DEFAULT 0,
    "closed_by" TEXT,

    CONSTRAINT "lanes_pkey" PRIMARY KEY ("lane")
);

-- CreateTable
CREATE TABLE "buckets" (
    "id" SERIAL NOT NULL,
    "app_id" TEXT NOT NULL,
    "tenant_key" TEXT NOT NULL,
    "api" TEXT NOT NULL,
    "lease_owner" UUID,
    "lease_until" TIMESTAMPTZ(6),
    "not_before" TIMESTAMPTZ(6),
    "epoch" TEXT NOT NULL DEFAULT '',

    CONSTRAINT "buckets_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "deliveries" (
    "id" BIGSERIAL NOT NULL,
    "lane" TEXT NOT NULL,
    "seq" INTEGER NOT NULL,
    "bucket_id" INTEGER NOT NULL,
    "api" TEXT NOT NULL,
    "app_id" TEXT NOT NULL,
    "tenant_key" TEXT NOT NULL,
    "background_check_id" TEXT,
    "account_id" TEXT,
    "stage_id" TEXT,
    "stage_time" BIGINT,
    "state" TEXT NOT NULL DEFAULT 'pending',
    "due_at" TIMESTAMPTZ(6),
    "fence" INTEGER NOT NULL DEFAULT 0,
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "recent_calls" INTEGER NOT NULL DEFAULT 0,
    "last_call_at" TIMESTAMPTZ(3),
    "first_attempt_at" TIMESTAMPTZ(3),
    "waited_ms" BIGINT NOT NULL DEFAULT 0,
    "ambiguous" BOOLEAN NOT NULL DEFAULT false,
    "confirmed" BOOLEAN NOT NULL DEFAULT false,
    "dead_class" TEXT,
    "last_error" JSONB,
    "body_sealed" BYTEA,
    "seen_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "settled_at" TIMESTAMPTZ(3),

    CONSTRAINT "deliveries_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "holds" (
    "id" BIGSERIAL NOT NULL,
    "scope" TEXT NOT NULL,
    "app_id" TEXT NOT NULL,
    "tenant_key" TEXT NOT NULL DEFAULT '',
    "api" TEXT NOT NULL DEFAULT '',
    "reason" TEXT NOT NULL,
    "code" INTEGER,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "released_at" TIMESTAMPTZ(3),

    CONSTRAINT "holds_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "feishu_tokens" (
    "app_id" TEXT NOT NULL,
    "tenant_key" TEXT NOT NULL,
    "token" BYTEA,
    "expires_at" TIMESTAMPTZ(3),
    "refreshing_until" TIMESTAMPTZ(6),

    CONSTRAINT "feishu_tokens_pkey" PRIMARY KEY ("app_id","tenant_key")
);

-- CreateTable
CREATE TABLE "process_leases" (
    "name" TEXT NOT NULL,
    "owner" UUID NOT NULL,
    "host" TEXT NOT NULL,
    "pid" INTEGER NOT NULL,
    "started_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "beat_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "process_leases_pkey" PRIMARY KEY ("name")
);

-- CreateIndex
CREATE INDEX "events_due" ON "events"("tenant_key", "due_at") WHERE (due_at IS NOT NULL);

-- CreateIndex
CREATE INDEX "events_by_state" ON "events"("state", "id" DESC);

-- CreateIndex
CREATE INDEX "accounts_tenant_key_idx" ON "accounts"("tenant_key");

-- CreateIndex
CREATE INDEX "orders_vendor_order_id_idx" ON "orders"("vendor_order_id");

-- CreateIndex
CREATE INDEX "orders_created_at_background_check_id_idx" ON "orders"("created_at" DESC, "background_check_id");

-- CreateIndex
CREATE INDEX "orders_tenant_key_created_at_idx" ON "orders"("tenant_key", "created_at" DESC);

-- CreateIndex
CREATE INDEX "timeline_background_check_id_id_idx" ON "timeline"("background_check_id", "id");

-- CreateIndex
CREATE INDEX "vendor_tasks_tenant_key_due_at_idx" ON "vendor_tasks"("tenant_key", "due_at");

-- CreateIndex
CREATE INDEX "poll_schedule_tenant_key_due_at_idx" ON "poll_schedule"("tenant_key", "due_at");

-- CreateIndex
CREATE INDEX "vendor_nudges_at_idx" ON "vendor_nudges"("at");

-- CreateIndex
CREATE UNIQUE INDEX "buckets_app_id_tenant_key_api_key" ON "buckets"("app_id", "tenant_key", "api");

-- CreateIndex
CREATE INDEX "deliveries_lane_seq_idx" ON "deliveries"("lane", "seq");

-- CreateIndex
CREATE INDEX "deliveries_due" ON "deliveries"("bucket_id", "due_at") WHERE (due_at IS NOT NULL);

-- CreateIndex
CREATE INDEX "deliveries_recent" ON "deliveries"("bucket_id", "last_call_at") WHERE (last_call_at IS NOT NULL);

-- CreateIndex
CREATE INDEX "deliveries_by_state" ON "deliveries"("state", "id" DESC);

-- CreateIndex
CREATE UNIQUE INDEX "deliveries_background_check_id_stage_id_key" ON "deliveries"("background_check_id", "stage_id");

-- CreateIndex
CREATE UNIQUE INDEX "holds_open" ON "holds"("app_id", "tenant_key", "api") WHERE (released_at IS NULL);

-- Rewritten with every poll and every attempt: room for it on the page, and a vacuum that keeps up.
ALTER TABLE "poll_schedule" SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
ALTER TABLE "deliveries" SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE "vendor_tasks" SET (autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE "events" SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);
