#include <cstring>
#include <memory>
#include <utility>

#include "archive_pair.hpp"
#include "archive_reader.hpp"
#include "file_pair.hpp"
#include "file_source.hpp"
#include "filetree/compare.hpp"
#include "group_job.hpp"
#include "tree_job.hpp"

namespace filetree {
namespace {

std::string message(int error, const std::string& path, const std::string& what) {
    const std::string reason = what.empty() ? std::strerror(error) : what;
    return path.empty() ? reason : path + ": " + reason;
}

}  // namespace

CompareError::CompareError(CompareFailure failure, int error, std::string path,
                           const std::string& what)
    : std::runtime_error(message(error, path, what)),
      failure_(failure),
      error_(error),
      path_(std::move(path)) {}

Comparison::Comparison(std::shared_ptr<Job> job) : job_(std::move(job)) {}
Comparison::~Comparison() { Comparison::cancel(); }

bool Comparison::wait(std::chrono::nanoseconds timeout) { return job_->wait(timeout); }
void Comparison::on_finished(std::function<void()> callback) {
    job_->on_finished(std::move(callback));
}
void Comparison::cancel() noexcept { job_->cancel(); }
std::exception_ptr Comparison::failure() const { return job_->failure(); }

FileComparison::FileComparison(Pool& pool, std::shared_ptr<FileSystem> fs, std::string path_a,
                               std::string path_b, const CompareOptions& options)
    : Comparison(std::make_shared<compare::FilePairJob>(std::move(fs), std::move(path_a),
                                                        std::move(path_b), options)) {
    pool.submit(job_);
}

FileComparison::~FileComparison() = default;

bool FileComparison::equal() const {
    return static_cast<const compare::FilePairJob&>(*job_).equal();
}

std::uint64_t FileComparison::bytes_read() const {
    return static_cast<const compare::FilePairJob&>(*job_).bytes_read();
}

TreeComparison::TreeComparison(Pool& pool, const std::shared_ptr<FileSystem>& fs, std::string top_a,
                               std::string top_b, TreeOptions options)
    : Comparison(std::make_shared<compare::TreeJob>(fs, std::move(top_a), std::move(top_b),
                                                    std::move(options))) {
    pool.submit(job_);
}

TreeComparison::~TreeComparison() = default;

const Differences& TreeComparison::differences() const {
    return static_cast<const compare::TreeJob&>(*job_).differences();
}

TreeComparison::Progress TreeComparison::progress() const {
    return static_cast<const compare::TreeJob&>(*job_).progress();
}

GroupComparison::GroupComparison(Pool& pool, std::shared_ptr<FileSystem> fs,
                                 std::vector<std::string> paths, const CompareOptions& options,
                                 bool only_whether)
    : Comparison(std::make_shared<compare::GroupJob>(std::move(fs), std::move(paths), options,
                                                     only_whether)) {
    pool.submit(job_);
}

GroupComparison::~GroupComparison() = default;

bool GroupComparison::all_equal() const {
    return static_cast<const compare::GroupJob&>(*job_).all_equal();
}

const std::vector<std::size_t>& GroupComparison::groups() const {
    return static_cast<const compare::GroupJob&>(*job_).groups();
}

std::uint64_t GroupComparison::bytes_read() const {
    return static_cast<const compare::GroupJob&>(*job_).bytes_read();
}

ArchiveComparison::ArchiveComparison(Pool& pool, std::shared_ptr<FileSystem> fs, std::string path_a,
                                     std::string path_b, const ArchiveOptions& options)
    : Comparison(std::make_shared<compare::ArchivePairJob>(std::move(fs), std::move(path_a),
                                                           std::move(path_b), options)) {
    pool.submit(job_);
}

ArchiveComparison::~ArchiveComparison() = default;

const Differences& ArchiveComparison::differences() const {
    return static_cast<const compare::ArchivePairJob&>(*job_).differences();
}

bool is_archive(FileSystem& fs, const std::string& path) {
    compare::FileSource source(fs, path);
    try {
        compare::ArchiveReader reader(source, {}, [] { return false; });
        if (reader.has_signature()) return true;
        compare::ArchiveEntry entry;
        return reader.next(entry) && !entry.name.empty();
    } catch (const CompareError& error) {
        if (error.failure() == CompareFailure::archive) return false;
        throw;
    }
}

}  // namespace filetree
