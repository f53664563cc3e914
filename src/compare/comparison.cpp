#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "archive_pair.hpp"
#include "file_pair.hpp"
#include "filetree/compare.hpp"
#include "group_job.hpp"
#include "mirror_job.hpp"
#include "probe_job.hpp"
#include "stream_pair_job.hpp"
#include "tree_job.hpp"

namespace filetree {
namespace {

std::string message(int error, const std::string& path, const std::string& what) {
    const std::string reason = what.empty() ? std::strerror(error) : what;
    return path.empty() ? reason : path + ": " + reason;
}

std::shared_ptr<compare::PairJob> make_pair_job(Pool& pool, std::shared_ptr<FileSystem> fs,
                                                SourceRef a, SourceRef b,
                                                const CompareOptions& options) {
    if (!a.http && !b.http) {
        return std::make_shared<compare::FilePairJob>(std::move(fs), std::move(a.name),
                                                      std::move(b.name), options);
    }
    return std::make_shared<compare::StreamPairJob>(std::move(fs), pool.http(), std::move(a),
                                                    std::move(b), options);
}

// Null where there are no URLs.
std::shared_ptr<HttpClient> client_for(Pool& pool, const std::vector<SourceRef>& sources) {
    const auto is_url = [](const SourceRef& source) { return source.http != nullptr; };
    return std::ranges::any_of(sources, is_url) ? pool.http() : nullptr;
}

}  // namespace

CompareError::CompareError(CompareFailure failure, int error, std::string path,
                           const std::string& what)
    : std::runtime_error(message(error, path, what)),
      failure_(failure),
      error_(error),
      path_(std::move(path)) {}

CompareError CompareError::cancelled() {
    return {CompareFailure::cancelled, ECANCELED, {}, "cancelled"};
}

Comparison::Comparison(std::shared_ptr<Job> job) : job_(std::move(job)) {}
Comparison::~Comparison() { Comparison::cancel(); }

bool Comparison::wait(std::chrono::nanoseconds timeout) { return job_->wait(timeout); }
void Comparison::on_finished(std::function<void()> callback) {
    job_->on_finished(std::move(callback));
}
void Comparison::cancel() noexcept { job_->cancel(); }
std::exception_ptr Comparison::failure() const { return job_->failure(); }

FileComparison::FileComparison(Pool& pool, std::shared_ptr<FileSystem> fs, SourceRef a, SourceRef b,
                               const CompareOptions& options)
    : Comparison(make_pair_job(pool, std::move(fs), std::move(a), std::move(b), options)) {
    pool.submit(job_);
}

FileComparison::~FileComparison() = default;

bool FileComparison::equal() const { return static_cast<const compare::PairJob&>(*job_).equal(); }

std::uint64_t FileComparison::bytes_read() const {
    return static_cast<const compare::PairJob&>(*job_).bytes_read();
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
                                 std::vector<SourceRef> sources, const CompareOptions& options,
                                 bool only_whether)
    : Comparison(std::make_shared<compare::GroupJob>(std::move(fs), client_for(pool, sources),
                                                     std::move(sources), options, only_whether)) {
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

MirrorComparison::MirrorComparison(Pool& pool, std::shared_ptr<FileSystem> fs, std::string top,
                                   std::vector<std::pair<std::string, SourceRef>> urls,
                                   const CompareOptions& options)
    : Comparison(std::make_shared<compare::MirrorJob>(std::move(fs), pool.http(), std::move(top),
                                                      std::move(urls), options)) {
    const auto mirror = std::static_pointer_cast<compare::MirrorJob>(job_);
    pool.submit(mirror);
    mirror->listing()->on_finished([weak = std::weak_ptr(mirror)] {
        if (const auto whole = weak.lock()) whole->listed();
    });
    pool.submit(mirror->listing());
}

MirrorComparison::~MirrorComparison() = default;

const Differences& MirrorComparison::differences() const {
    return static_cast<const compare::MirrorJob&>(*job_).differences();
}

ArchiveComparison::ArchiveComparison(Pool& pool, std::shared_ptr<FileSystem> fs, const SourceRef& a,
                                     const SourceRef& b, const ArchiveOptions& options)
    : Comparison(std::make_shared<compare::ArchivePairJob>(std::move(fs), client_for(pool, {a, b}),
                                                           a, b, options)) {
    pool.submit(job_);
}

ArchiveComparison::~ArchiveComparison() = default;

const Differences& ArchiveComparison::differences() const {
    return static_cast<const compare::ArchivePairJob&>(*job_).differences();
}

SourceProbe::SourceProbe(Pool& pool, std::shared_ptr<FileSystem> fs, const SourceRef& source)
    : Comparison(
          std::make_shared<compare::ProbeJob>(std::move(fs), client_for(pool, {source}), source)) {
    pool.submit(job_);
}

SourceProbe::~SourceProbe() = default;

SourceKind SourceProbe::kind() const { return static_cast<const compare::ProbeJob&>(*job_).kind(); }

}  // namespace filetree
