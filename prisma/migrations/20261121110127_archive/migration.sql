-- CreateTable: its partitions are made as months come (src/platform/database/months.ts). There is no default one, since
-- with it a month could not be attached or taken off without a look at every row of it.
CREATE TABLE "archived_orders" (
    "background_check_id" TEXT NOT NULL,
    "month" DATE NOT NULL,
    "archived_at" TIMESTAMPTZ(3) NOT NULL,
    "ended_at" TIMESTAMPTZ(3) NOT NULL,
    "app_id" TEXT NOT NULL,
    "tenant_key" TEXT NOT NULL,
    "account_id" TEXT,
    "vendor_order_id" TEXT,
    "document" JSONB NOT NULL,

    CONSTRAINT "archived_orders_pkey" PRIMARY KEY ("background_check_id","month")
) PARTITION BY RANGE ("month");

-- CreateTable
CREATE TABLE "archived_checks" (
    "hash" BYTEA NOT NULL,
    "month" DATE NOT NULL,

    CONSTRAINT "archived_checks_pkey" PRIMARY KEY ("hash")
);

-- CreateIndex
CREATE INDEX "orders_erased" ON "orders"("updated_at", "background_check_id") WHERE (erased_at IS NOT NULL);

-- CreateIndex
CREATE INDEX "orders_flagged" ON "orders"("created_at" DESC, "background_check_id") WHERE (attention <> '{}'::text[]);
