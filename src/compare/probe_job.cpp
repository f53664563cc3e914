#include "probe_job.hpp"

#include <cerrno>
#include <utility>

#include "archive_reader.hpp"
#include "file_source.hpp"
#include "open_source.hpp"

namespace filetree::compare {

ProbeJob::ProbeJob(std::shared_ptr<FileSystem> fs, std::shared_ptr<HttpClient> client,
                   SourceRef source)
    : fs_(std::move(fs)), client_(std::move(client)), source_(std::move(source)) {}

Job::Piece ProbeJob::take() {
    if (std::exchange(begun_, true)) return {};
    return [this] { look(); };
}

void ProbeJob::look() {
    try {
        kind_ = is_directory() ? SourceKind::directory
                : is_archive() ? SourceKind::archive
                               : SourceKind::file;
    } catch (const CompareError& error) {
        if (!shortage_.is_worth_another_try(error.error())) throw;
        const std::lock_guard lock(mutex_);
        begun_ = false;
    }
}

bool ProbeJob::is_directory() const {
    if (source_.http) return false;
    CallContext context(stop_flag());
    const StatResult found = fs_->attributes(source_.name, true, StatMask::type, context);
    if (found.error != 0) fail_at(found.error, source_.name);
    return found.attributes.is_directory();
}

bool ProbeJob::is_archive() const {
    const auto is_unwanted = [this] { return stopping(); };
    try {
        const auto source = open_source(*fs_, client_, source_, is_unwanted);
        ArchiveReader reader(*source, {}, is_unwanted);
        if (reader.has_signature()) return true;
        ArchiveEntry entry;
        return reader.next(entry) && !entry.name.empty();
    } catch (const CompareError& error) {
        // What cannot be kept in memory can still be compared as it comes.
        if (error.failure() == CompareFailure::archive || error.error() == EFBIG) return false;
        throw;
    }
}

}  // namespace filetree::compare
