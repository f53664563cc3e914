#include "open_source.hpp"

#include <utility>

#include "file_source.hpp"
#include "url_source.hpp"

namespace filetree::compare {

std::unique_ptr<Source> open_source(FileSystem& fs, const std::shared_ptr<HttpClient>& client,
                                    const SourceRef& ref, std::function<bool()> stopping) {
    if (!ref.http) return std::make_unique<FileSource>(fs, ref.name);
    return std::make_unique<UrlSource>(client, ref, std::move(stopping));
}

bool are_same_file(const Source& a, const Source& b) noexcept {
    const auto* const file_a = dynamic_cast<const FileSource*>(&a);
    const auto* const file_b = dynamic_cast<const FileSource*>(&b);
    return file_a != nullptr && file_b != nullptr && file_a->is_same_as(*file_b);
}

}  // namespace filetree::compare
