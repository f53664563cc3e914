#pragma once

// Every entry's metadata, as Arrow record batches or as bytes in a file.
//
// Rows come in no particular order, except that the entries of one directory stay close together.
// A directory's row comes when its own entries have been seen, because it carries their count and
// the sum of their sizes.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "filetree/arrow_abi.hpp"
#include "filetree/walk.hpp"

namespace filetree {

struct ReportOptions {
    WalkOptions walk;
    // Bytes that may wait for the consumer in memory.
    std::size_t buffer_threshold = std::size_t{2} << 30U;
    // Where rows go that find no room in memory, in files without a name. Empty, or while nothing
    // can be written there: the worker that has them waits.
    std::string spill_directory;
};

class Checkpoint;
struct Mark;

// Figures of a report that the walk itself does not know.
struct ReportNotes {
    // Times outside what 64-bit microseconds hold, clamped to the nearest that they do.
    std::uint64_t clamped_times = 0;
    // Paths with bytes that CSV cannot carry and leaves out, taken by take_bad_paths() or not.
    std::uint64_t bad_paths = 0;
};

// What Scan and FileReport have in common: a running walk.
//
// Threads: one at a time consumes (Scan::next(), FileReport::wait()); everything else may be called
// from any thread at any time. In a forked child only close() and the destructor, which do nothing.
class Report {
   public:
    Report(const Report&) = delete;
    Report& operator=(const Report&) = delete;
    virtual ~Report();

    // Waits until the top is open. Empty: not yet. Else 0, or the errno of the top.
    [[nodiscard]] std::optional<int> wait_started(std::chrono::nanoseconds timeout);
    // Stops all work and waits until it has stopped. What is not yet consumed is dropped; progress
    // and errors stay readable. Idempotent.
    virtual void close() noexcept = 0;

    [[nodiscard]] WalkProgress progress() const;
    [[nodiscard]] std::vector<EntryError> errors() const;
    [[nodiscard]] ReportNotes notes() const;
    [[nodiscard]] std::vector<std::string> take_bad_paths();
    // What has been found, once the report has ended.
    [[nodiscard]] Mark last_mark() const;

    struct Shared;

   protected:
    Report(const ReportOptions& options, std::shared_ptr<Checkpoint> checkpoint);
    // For the walk: when to rest, and `push`, which brings a mark to the consumer.
    [[nodiscard]] WalkRests rests(
        std::function<void(const std::shared_ptr<const Mark>&)> push) const;
    // Throws what ended the walk early, if anything did.
    void rethrow_failure() const;

    std::shared_ptr<Shared> shared_;
    const std::shared_ptr<Checkpoint> checkpoint_;  // may be null
    std::unique_ptr<Walk> walk_;
};

// A live, one-shot stream of record batches with the columns of export_scan_schema().
class Scan : public Report {
   public:
    // With a checkpoint: goes on where it says, and has marks among its batches.
    Scan(std::shared_ptr<FileSystem> fs, const std::string& top, const ReportOptions& options,
         std::shared_ptr<Checkpoint> checkpoint = nullptr);
    ~Scan() override;

    void close() noexcept override;

    enum class Next { batch, mark, end, timeout };
    // The next batch, in a struct that the caller must release. Waits no longer than `timeout`.
    // With a checkpoint, the next mark may come in its place, for `mark`: what belongs to all
    // batches before it. Nothing comes after the last mark.
    // Throws SystemError for an unusable top, and whatever else ended the walk early.
    [[nodiscard]] Next next(ArrowArray& out, std::chrono::nanoseconds timeout,
                            std::shared_ptr<const Mark>* mark = nullptr);

   private:
    struct Stream;
    std::unique_ptr<Stream> stream_;
};

// Fills `out` with the schema of a scan: a struct of the columns.
void export_scan_schema(ArrowSchema& out);

// Rows as CSV, paths, or rows as PWAL (pwal.hpp).
enum class TextFormat : std::uint8_t { csv, lines, nul_terminated, binary };
enum class Compression : std::uint8_t { none, zstd, gzip };

struct TextOptions {
    TextFormat format = TextFormat::csv;
    Compression compression = Compression::none;
    bool header = true;       // CSV: the names of the columns first
    bool directories = true;  // lines: directories are wanted
    bool others = true;       // lines: everything else is wanted
};

// CSV, PWAL, or just paths, written to a descriptor by a thread of its own.
class FileReport final : public Report {
   public:
    // `fd` stays the caller's, who may close it at any time: a duplicate is written to. `name` is
    // what errors call it. PWAL is never compressed, and its `fd` must be able to seek:
    // SystemError.
    FileReport(std::shared_ptr<FileSystem> fs, const std::string& top, const ReportOptions& options,
               const TextOptions& text, int fd, const std::string& name);
    // Writes parts, and commits them. When wait() returns, the checkpoint is complete, or has been
    // stopped; once close() returns, it is not used any more.
    FileReport(std::shared_ptr<FileSystem> fs, const std::string& top, const ReportOptions& options,
               const TextOptions& text, std::shared_ptr<Checkpoint> checkpoint);
    ~FileReport() override;

    void close() noexcept override;

    // Waits for the end. False: not yet. Throws SystemError when writing failed or the top is
    // unusable, and whatever else ended the walk early.
    [[nodiscard]] bool wait(std::chrono::nanoseconds timeout);
    // 0 while parts are written.
    [[nodiscard]] std::uint64_t bytes_written() const noexcept;

   private:
    void start(std::shared_ptr<FileSystem> fs, const std::string& top, WalkOptions options,
               const TextOptions& text);

    struct Writer;
    std::unique_ptr<Writer> writer_;
};

}  // namespace filetree
