// Hands batches and their schema over by the Arrow C data interface.

#include "record_batch.hpp"

#include "filetree/report.hpp"

namespace filetree::report {
namespace {

// Returns the batch to its pool when the last column lets go of it.
struct Lease {
    Lease(std::unique_ptr<RecordBatch> batch_, std::shared_ptr<BatchPool> pool_)
        : batch(std::move(batch_)), pool(std::move(pool_)) {}
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    ~Lease() { pool->put(std::move(batch)); }

    std::unique_ptr<RecordBatch> batch;
    std::shared_ptr<BatchPool> pool;
};

// A consumer may keep a column longer than the struct that held it, so each holds a lease.
struct ExportedColumn {
    std::shared_ptr<Lease> lease;
    std::array<const void*, 3> buffers;
};

struct ExportedStruct {
    std::array<const void*, 1> buffers{nullptr};
    std::array<ArrowArray, column_count> columns;
    std::array<ArrowArray*, column_count> pointers;
};

void release_column(ArrowArray* array) {
    delete static_cast<ExportedColumn*>(array->private_data);
    array->release = nullptr;
}

void release_struct(ArrowArray* array) {
    auto* exported = static_cast<ExportedStruct*>(array->private_data);
    for (ArrowArray& column : exported->columns) {
        if (column.release != nullptr) column.release(&column);
    }
    delete exported;
    array->release = nullptr;
}

void export_column(Column column, const std::shared_ptr<Lease>& lease, ArrowArray& out) {
    const RecordBatch& batch = *lease->batch;
    const ColumnType& type = column_types[static_cast<std::size_t>(column)];
    auto exported = std::make_unique<ExportedColumn>();
    exported->lease = lease;
    exported->buffers = {batch.validity(column), batch.values(column),
                         type.is_string ? batch.string_bytes(column) : nullptr};
    out = {};
    out.length = static_cast<std::int64_t>(batch.rows());
    out.null_count = batch.null_count(column);
    out.n_buffers = type.is_string ? 3 : 2;
    out.buffers = exported->buffers.data();
    out.release = release_column;
    out.private_data = exported.release();
}

struct ExportedSchema {
    std::array<ArrowSchema, column_count> columns;
    std::array<ArrowSchema*, column_count> pointers;
};

void release_column_schema(ArrowSchema* schema) { schema->release = nullptr; }

void release_schema(ArrowSchema* schema) {
    auto* exported = static_cast<ExportedSchema*>(schema->private_data);
    for (ArrowSchema& column : exported->columns) {
        if (column.release != nullptr) column.release(&column);
    }
    delete exported;
    schema->release = nullptr;
}

}  // namespace

void export_batch(std::unique_ptr<RecordBatch> batch, std::shared_ptr<BatchPool> pool,
                  ArrowArray& out) {
    const auto lease = std::make_shared<Lease>(std::move(batch), std::move(pool));
    auto exported = std::make_unique<ExportedStruct>();
    for (std::size_t i = 0; i < column_count; ++i) {
        export_column(static_cast<Column>(i), lease, exported->columns[i]);
        exported->pointers[i] = &exported->columns[i];
    }
    out = {};
    out.length = static_cast<std::int64_t>(lease->batch->rows());
    out.n_buffers = 1;
    out.n_children = column_count;
    out.buffers = exported->buffers.data();
    out.children = exported->pointers.data();
    out.release = release_struct;
    out.private_data = exported.release();
}

}  // namespace filetree::report

namespace filetree {

void export_scan_schema(ArrowSchema& out) {
    using namespace report;
    auto exported = std::make_unique<ExportedSchema>();
    for (std::size_t i = 0; i < column_count; ++i) {
        ArrowSchema& column = exported->columns[i];
        column = {};
        column.format = column_types[i].format;
        column.name = column_types[i].name;
        column.flags = column_types[i].nullable ? ARROW_FLAG_NULLABLE : 0;
        column.release = release_column_schema;
        exported->pointers[i] = &column;
    }
    out = {};
    out.format = "+s";
    out.name = "";
    out.n_children = column_count;
    out.children = exported->pointers.data();
    out.release = release_schema;
    out.private_data = exported.release();
}

}  // namespace filetree
