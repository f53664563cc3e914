#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>

#include "../fs/unique_fd.hpp"
#include "csv_sink.hpp"
#include "file_writer.hpp"
#include "filetree/checkpoint.hpp"
#include "filetree/report.hpp"
#include "path_sink.hpp"
#include "pwal_sink.hpp"

namespace filetree {
namespace {

using report::ByteBuffer;
using report::TextQueue;

std::unique_ptr<EntrySink> make_sink(const TextOptions& options,
                                     const std::shared_ptr<TextQueue>& queue,
                                     const std::shared_ptr<Report::Shared>& shared) {
    switch (options.format) {
        case TextFormat::csv:
            return std::make_unique<report::CsvSink>(queue, shared);
        case TextFormat::binary:
            return std::make_unique<report::PwalSink>(queue, shared);
        default:
            return std::make_unique<report::PathSink>(queue, options);
    }
}

// The header of a PWAL file names the number of its records, which is known only at the end.
void check_can_be_replaced(int fd, const std::string& name) {
    if (::lseek(fd, 0, SEEK_CUR) < 0) throw SystemError(errno, name);
}

void begin_binary(report::FileWriter& file) {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now).count();
    ByteBuffer header;
    report::pwal::append_header(0, static_cast<std::uint64_t>(seconds), header);
    file.put(header.view());
}

// Of our own: the caller closes its own when it likes, and its number is somebody else's then.
UniqueFd duplicate(int fd, const std::string& name) {
    UniqueFd own(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
    if (!own) throw SystemError(errno, name);
    return own;
}

void end_binary(report::FileWriter& file, std::uint64_t records) {
    file.replace(report::pwal::record_count_offset,
                 {reinterpret_cast<const char*>(&records), sizeof records});
}

}  // namespace

// The thread that writes, and what it came to. It writes one file, or the parts of a checkpoint.
struct FileReport::Writer {
    Writer(std::size_t threshold, const std::shared_ptr<Report::Shared>& shared_,
           const TextOptions& options_, UniqueFd fd_, std::string name_,
           std::shared_ptr<Checkpoint> checkpoint_)
        : queue(std::make_shared<TextQueue>(threshold, shared_->gauge, shared_->spill)),
          shared(shared_),
          options(options_),
          name(std::move(name_)),
          checkpoint(std::move(checkpoint_)),
          fd(std::move(fd_)) {
        if (!checkpoint) begin_file(fd.get());
        if (!checkpoint && options.format == TextFormat::binary) {
            check_can_be_replaced(fd.get(), name);
        }
        thread = std::thread([this] { run(); });
    }

    ~Writer() {
        close();
        thread.join();
    }

    void close() noexcept {
        closed = true;
        queue->close();
    }

    void run() noexcept {
        try {
            write_everything();
        } catch (...) {
            failure = std::current_exception();
            queue->close();  // workers must not wait for a writer that is no more
        }
        fd = UniqueFd();  // who reads from a pipe waits for that
        const std::lock_guard lock(mutex);
        done = true;
        changed.notify_all();
    }

    void write_everything() {
        if (checkpoint) begin_file(checkpoint->begin_part());
        begin_rows();
        ByteBuffer piece;
        std::shared_ptr<const Mark> mark;
        for (;;) {
            switch (queue->pop(piece, mark, std::chrono::hours(1))) {
                case TextQueue::Pop::piece:
                    file->put(piece.view());
                    break;
                case TextQueue::Pop::mark:
                    end_rows(mark->records);
                    commit(*mark);
                    stopped = mark->last;
                    if (stopped) return;
                    begin_file(checkpoint->begin_part());
                    begin_rows();
                    break;
                case TextQueue::Pop::timeout:
                    break;
                case TextQueue::Pop::end:
                    end_rows(shared->records);
                    return;
            }
        }
    }

    void await_end() {
        std::unique_lock lock(mutex);
        changed.wait(lock, [this] { return done; });
    }

    void begin_file(int to) {
        file.emplace(to, name, options.compression, [this] { return !closed; });
    }

    void begin_rows() {
        // The header line belongs to the whole.
        if (options.format == TextFormat::csv && options.header && !checkpoint) {
            file->put(report::csv_header);
        }
        if (options.format == TextFormat::binary) begin_binary(*file);
    }

    void end_rows(std::uint64_t records) {
        file->finish();
        if (options.format == TextFormat::binary) end_binary(*file, records - records_committed);
    }

    void commit(const Mark& mark) {
        checkpoint->commit(mark, mark.records - records_committed);
        records_committed = mark.records;
    }

    const std::shared_ptr<TextQueue> queue;
    const std::shared_ptr<Report::Shared> shared;
    const TextOptions options;
    const std::string name;
    const std::shared_ptr<Checkpoint> checkpoint;
    UniqueFd fd;  // none with a checkpoint
    std::optional<report::FileWriter> file;
    std::uint64_t records_committed = 0;
    std::atomic<bool> closed = false;

    std::mutex mutex;
    std::condition_variable changed;
    bool done = false;     // written after the others:
    bool stopped = false;  // at the last mark
    std::exception_ptr failure;

    std::thread thread;  // the last member: it uses the others
};

FileReport::FileReport(std::shared_ptr<FileSystem> fs, const std::string& top,
                       const ReportOptions& options, const TextOptions& text, int fd,
                       const std::string& name)
    : Report(options, nullptr),
      writer_(std::make_unique<Writer>(options.buffer_threshold, shared_, text, duplicate(fd, name),
                                       name, nullptr)) {
    start(std::move(fs), top, options.walk, text);
}

FileReport::FileReport(std::shared_ptr<FileSystem> fs, const std::string& top,
                       const ReportOptions& options, const TextOptions& text,
                       std::shared_ptr<Checkpoint> checkpoint)
    : Report(options, std::move(checkpoint)),
      writer_(std::make_unique<Writer>(options.buffer_threshold, shared_, text, UniqueFd(),
                                       checkpoint_->directory(), checkpoint_)) {
    start(std::move(fs), top, options.walk, text);
}

void FileReport::start(std::shared_ptr<FileSystem> fs, const std::string& top, WalkOptions options,
                       const TextOptions& text) {
    options.attributes = text.format == TextFormat::csv || text.format == TextFormat::binary;
    walk_ = std::make_unique<Walk>(
        std::move(fs), top, options,
        [queue = writer_->queue, shared = shared_, text] { return make_sink(text, queue, shared); },
        shared_->gauge, rests([queue = writer_->queue](const std::shared_ptr<const Mark>& mark) {
            queue->push_mark(mark);
        }));
    walk_->on_finished([queue = writer_->queue] { queue->finish(); });
}

FileReport::~FileReport() {
    FileReport::close();
    // Left as the fork left it: there is no thread to join.
    if (!walk_->in_own_process()) (void)writer_.release();
}

void FileReport::close() noexcept {
    if (!walk_->in_own_process()) return;
    writer_->close();
    walk_->close();
    // Whoever closes the checkpoint next must be the only one who uses it; a file is nobody else's.
    if (checkpoint_) writer_->await_end();
}

bool FileReport::wait(std::chrono::nanoseconds timeout) {
    std::unique_lock lock(writer_->mutex);
    if (!writer_->changed.wait_for(lock, timeout, [this] { return writer_->done; })) return false;
    if (writer_->failure) std::rethrow_exception(writer_->failure);
    if (writer_->stopped) return true;
    rethrow_failure();
    if (walk_->cancelled()) throw SystemError(ECANCELED, walk_->top());
    if (checkpoint_ && !checkpoint_->complete()) {
        const Mark mark = last_mark();
        checkpoint_->complete_with(mark, mark.records - writer_->records_committed);
    }
    return true;
}

std::uint64_t FileReport::bytes_written() const noexcept {
    return checkpoint_ ? 0 : writer_->file->written();
}

}  // namespace filetree
